import { GROUP } from '../contract/index.ts';
import { buildStructuralSchema } from '../kube/index.ts';
import { API_VERSION, APPLICATIONS, applicationSpecSchema, applicationStatusSchema } from './application.ts';

/** The name is a label value of pods too, which holds 63 characters. */
const NAME_RULE = {
  rule: 'self.metadata.name.size() <= 63',
  message: 'the name of an Application has at most 63 characters: it is a label value of its pods',
};

const COLUMNS = [
  { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where it is in its life.' },
  { name: 'Hooks', type: 'string', jsonPath: '.spec.hooks', description: 'The hooks that are enabled.' },
  {
    name: 'On complete',
    type: 'string',
    jsonPath: '.spec.completeAction',
    description: 'What a complete signal does.',
  },
  {
    name: 'Signalled',
    type: 'date',
    jsonPath: '.status.signals.complete.receivedAt',
    description: 'Time since the complete signal was stored.',
  },
  {
    name: 'Finished',
    type: 'date',
    jsonPath: '.status.finishedAt',
    description: 'Time since it came to its end.',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  {
    name: 'Workloads',
    type: 'string',
    jsonPath: '.spec.workloads[*].name',
    priority: 1,
    description: 'First of the workloads.',
  },
  {
    name: 'Secret',
    type: 'string',
    jsonPath: '.status.conditions[?(@.type=="SecretReady")].reason',
    priority: 1,
    description: 'Whether token and CA bundle are there.',
  },
  {
    name: 'Proof',
    type: 'string',
    jsonPath: '.spec.auth',
    priority: 1,
    description: 'What proves who signals.',
  },
  {
    name: 'Certificate until',
    type: 'string',
    jsonPath: '.status.certificates[-1:].notAfter',
    priority: 1,
    description: 'When its newest certificate ends.',
  },
] as const;

/** The CustomResourceDefinition of the Application, from its zod schemas. Pure: the same each time, so it can be committed and compared. */
export function buildApplicationCrd(): object {
  const version = API_VERSION.slice(GROUP.length + 1);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${APPLICATIONS.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        plural: APPLICATIONS.plural,
        singular: 'application',
        kind: 'Application',
        listKind: 'ApplicationList',
        shortNames: ['kapp'],
        categories: ['krake'],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

function rootSchema(): object {
  return {
    type: 'object',
    description:
      'An application and the hooks through which it and its cluster talk: one workload, or a group of them.',
    required: ['spec'],
    'x-kubernetes-validations': [NAME_RULE],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: buildStructuralSchema(applicationSpecSchema),
      status: buildStructuralSchema(applicationStatusSchema),
    },
  };
}
