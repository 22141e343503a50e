import {
  ANNOTATION_HOOKS,
  HOOKS,
  LABEL_APPLICATION,
  LABEL_ENABLED,
  parseHookAnnotations,
  secretName,
  SYSTEM_NAMESPACES,
  WORKLOAD_KINDS,
} from '../contract/index.ts';
import { isConflict, KubeApiError, type KubeClient } from '../kube/index.ts';
import { describeJobWebhooks } from './describe-job-webhooks.ts';
import { describeShutdown } from './describe-shutdown.ts';
import { describePod } from './describe-pod.ts';
import type { Metadata, PodTemplate, Subject } from './explain-subject.ts';

/** The controller of the Pod that is asked about; the API server does not look whether an owner is there. */
const DRY_RUN_OWNER = {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  uid: '00000000-0000-4000-8000-000000000000',
  controller: true,
};

const HOW_TO_ASK = `hooks: none asked for; annotate it with ${ANNOTATION_HOOKS}: ${HOOKS.join(', ')} or both`;

export interface ExplainDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'patch'>;
  readonly ownNamespace: string;
}

export interface Explanation {
  readonly title: string;
  /** True when every chosen container would be injected. */
  readonly injected: boolean;
  /** True when what is asked for comes about: the injection, or job webhooks alone, which need none. */
  readonly asAsked: boolean;
  /** Lines for a person, without indentation. */
  readonly lines: readonly string[];
}

/**
 * What would happen to a workload if it were applied now: asks the API server itself, with server-side dry runs of the workload
 * and of a Pod of its template, so every webhook and policy of the cluster has its say and nothing is stored.
 */
export async function explain(deps: ExplainDeps, subject: Subject, namespace: string): Promise<Explanation> {
  const title = titleOf(subject, namespace);
  const no = (...lines: string[]): Explanation => ({
    title,
    injected: false,
    asAsked: false,
    lines: [...lines, 'result: NOT injected'],
  });

  const obstacle = await namespaceObstacle(deps, namespace);
  if (obstacle !== undefined) return no(obstacle);
  const jobWebhooks = describeJobWebhooks(subject);
  const lines: string[] = [`namespace: opted in (${LABEL_ENABLED}=true)`, ...jobWebhooks];
  const asked = hookPlaces(subject).map((place) => parseHookAnnotations(place?.annotations));
  if (asked.every(({ hooks }) => hooks.length === 0)) {
    const misread = distinct(asked.flatMap(({ warnings }) => warnings));
    // A warning may be of a hook that is misspelt.
    const isAllThere = jobWebhooks.length > 0 && misread.length === 0;
    return isAllThere ? nothingToInject(title, lines) : no(...lines, HOW_TO_ASK, ...misread);
  }

  const warnings: string[] = [];
  try {
    const admitted = await dryRun(deps.client, subject, namespace, warnings);
    const template = await admittedPod(deps.client, admitted, namespace, warnings);
    if (template === undefined) {
      return no(...lines, ...unreached(deps.ownNamespace), ...distinct(warnings));
    }
    const application = template.metadata?.labels?.[LABEL_APPLICATION] ?? '';
    lines.push(
      `hooks: ${template.metadata?.annotations?.[ANNOTATION_HOOKS] ?? ''}`,
      `application: ${application} (Secret ${secretName(application)})`,
      ...describeShutdown(admitted),
      ...describePod(template, application),
      ...distinct(warnings),
      'result: injected',
    );
    return { title, injected: true, asAsked: true, lines };
  } catch (error) {
    if (!(error instanceof KubeApiError)) throw error;
    return no(...lines, `refused: ${error.message}`, ...distinct(warnings));
  }
}

async function namespaceObstacle(deps: ExplainDeps, namespace: string): Promise<string | undefined> {
  if ([...SYSTEM_NAMESPACES, deps.ownNamespace].includes(namespace)) {
    return `namespace: ${namespace} belongs to the system; hooks never apply there`;
  }
  const found = await deps.client.get({
    resource: { apiVersion: 'v1', plural: 'namespaces' },
    name: namespace,
  });
  if (found === undefined)
    return `namespace: ${namespace} does not exist; create it with "kubectl create namespace ${namespace}"`;
  if (found.metadata.labels?.[LABEL_ENABLED] === 'true') return undefined;
  return `namespace: not opted in; run "kubectl label namespace ${namespace} ${LABEL_ENABLED}=true"`;
}

function titleOf({ kind, metadata: { name, generateName = '' } }: Subject, namespace: string): string {
  return `${kind} ${name ?? `${generateName}*`} in namespace ${namespace}`;
}

function nothingToInject(title: string, lines: readonly string[]): Explanation {
  const more = ['hooks: none asked for, and job webhooks need none', 'result: nothing to inject'];
  return { title, injected: false, asAsked: true, lines: [...lines, ...more] };
}

/** Where hooks may be asked for: the workload, the Job template of a CronJob, the pod template. */
function hookPlaces({ metadata, spec }: Subject): readonly (Metadata | undefined)[] {
  const template = spec?.template ?? spec?.jobTemplate?.spec.template;
  return [metadata, spec?.jobTemplate?.metadata, template?.metadata];
}

async function dryRun(
  client: ExplainDeps['client'],
  subject: Subject,
  namespace: string,
  warnings: string[],
): Promise<Subject> {
  const resource = WORKLOAD_KINDS[subject.kind];
  const options = { dryRun: true, onWarning: (text: string) => warnings.push(text) };
  const { name } = subject.metadata;
  const create = (object: Subject) => client.create<Subject>(resource, namespace, object, options);
  if (name !== undefined && subject.kind !== 'Pod' && subject.kind !== 'Job') {
    const patch = { type: 'apply', body: subject, fieldManager: 'krake-hooks-explain' } as const;
    return await client.patch<Subject>({ resource, namespace, name }, patch, options);
  }
  try {
    return await create(subject);
  } catch (error) {
    // Pods and Jobs cannot be changed: one that is there already is asked about as a new one of another name.
    if (!isConflict(error) || name === undefined) throw error;
    return await create(withFreeName(subject));
  }
}

function withFreeName(subject: Subject): Subject {
  const { name = '', ...metadata } = subject.metadata;
  return { ...subject, metadata: { ...metadata, generateName: `${name.slice(0, 50)}-` } };
}

/** The template with its injection, or undefined when the workload comes back without a stamp. */
async function admittedPod(
  client: ExplainDeps['client'],
  admitted: Subject,
  namespace: string,
  warnings: string[],
): Promise<PodTemplate | undefined> {
  if (admitted.kind === 'Pod') return stamped(admitted as unknown as PodTemplate);
  if (admitted.kind === 'Job') return stamped(admitted.spec?.template);
  const jobTemplate = admitted.spec?.jobTemplate;
  if (jobTemplate !== undefined) {
    const metadata = {
      ...jobTemplate.metadata,
      generateName: `${(admitted.metadata.name ?? '').slice(0, 50)}-`,
    };
    const job: Subject = { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: jobTemplate.spec };
    return stamped((await dryRun(client, job, namespace, warnings)).spec?.template);
  }
  const template = stamped(admitted.spec?.template);
  if (template === undefined) return undefined;
  // As its controller would make it: a pod without an owner that stamps would be an application of its own.
  const metadata = {
    ...template.metadata,
    generateName: `${(admitted.metadata.name ?? '').slice(0, 50)}-`,
    ownerReferences: [{ ...DRY_RUN_OWNER, name: admitted.metadata.name ?? 'dry-run' }],
  };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec } as unknown as Subject;
  return stamped((await dryRun(client, pod, namespace, warnings)) as unknown as PodTemplate);
}

function stamped(template: PodTemplate | undefined): PodTemplate | undefined {
  return template?.metadata?.labels?.[LABEL_APPLICATION] === undefined ? undefined : template;
}

function unreached(ownNamespace: string): string[] {
  return [
    'admission: not reached, the workload came back without its stamp',
    `next: see "kubectl -n ${ownNamespace} get pods" and "kubectl get mutatingwebhookconfigurations krake-hooks"`,
  ];
}

function distinct(warnings: readonly string[]): string[] {
  return [...new Set(warnings)].map((warning) => `warning: ${warning}`);
}
