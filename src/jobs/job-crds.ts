import type { z } from 'zod';
import { GROUP } from '../contract/index.ts';
import { buildStructuralSchema } from '../kube/index.ts';
import { API_VERSION, JOB_DONE_WATCHERS, WEBHOOK_DELIVERIES, WEBHOOKS } from './api-version.ts';
import { watcherSpecSchema, watcherStatusSchema } from './job-done-watcher.ts';
import { deliverySpecSchema, deliveryStatusSchema } from './webhook-delivery.ts';
import { webhookSpecSchema, webhookStatusSchema } from './webhook.ts';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean';
  readonly jsonPath: string;
  readonly description?: string;
  readonly priority?: number;
}

interface CrdParts {
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortName: string;
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly columns: readonly Column[];
  readonly selectable: readonly string[];
}

const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

const PARTS: readonly CrdParts[] = [
  {
    plural: WEBHOOKS.plural,
    singular: 'webhook',
    kind: 'Webhook',
    shortName: 'kwh',
    description: 'An endpoint that is told what happens to Jobs of the namespace.',
    spec: webhookSpecSchema,
    status: webhookStatusSchema,
    columns: [
      { name: 'URL', type: 'string', jsonPath: '.spec.url' },
      { name: 'Format', type: 'string', jsonPath: '.spec.format' },
      {
        name: 'Delivered',
        type: 'date',
        jsonPath: '.status.lastDeliveredAt',
        description: 'Time since it took a delivery.',
      },
      {
        name: 'Failing',
        type: 'date',
        jsonPath: '.status.failingSince',
        description: 'Time since it has been failing.',
      },
      {
        name: 'Disabled',
        type: 'string',
        jsonPath: '.status.disabled.reason',
        description: 'Why nothing is sent to it.',
      },
      { name: 'Description', type: 'string', jsonPath: '.spec.description', priority: 1 },
      AGE,
    ],
    selectable: [],
  },
  {
    plural: JOB_DONE_WATCHERS.plural,
    singular: 'jobdonewatcher',
    kind: 'JobDoneWatcher',
    shortName: 'jdw',
    description: 'Calls webhooks when one Job is done.',
    spec: watcherSpecSchema,
    status: watcherStatusSchema,
    columns: [
      { name: 'Job', type: 'string', jsonPath: '.spec.jobName' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Finished', type: 'date', jsonPath: '.status.finishedAt' },
      {
        name: 'Webhooks',
        type: 'string',
        jsonPath: '.spec.webhooks[*].webhook',
        priority: 1,
        description: 'First of the webhooks.',
      },
      AGE,
    ],
    selectable: ['.spec.jobName', '.status.phase'],
  },
  {
    plural: WEBHOOK_DELIVERIES.plural,
    singular: 'webhookdelivery',
    kind: 'WebhookDelivery',
    shortName: 'whd',
    description: 'One event for one endpoint, and what became of it. Its name is the webhook-id.',
    spec: deliverySpecSchema,
    status: deliveryStatusSchema,
    columns: [
      { name: 'Job', type: 'string', jsonPath: '.spec.event.job.name' },
      { name: 'Event', type: 'string', jsonPath: '.spec.event.type' },
      { name: 'Webhook', type: 'string', jsonPath: '.spec.webhook.name' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Attempts', type: 'integer', jsonPath: '.status.attempts' },
      { name: 'Next', type: 'string', jsonPath: '.status.nextAttemptAt', priority: 1 },
      { name: 'Reason', type: 'string', jsonPath: '.status.reason', priority: 1 },
      AGE,
    ],
    selectable: ['.spec.webhook.name', '.spec.event.job.name', '.status.phase'],
  },
];

/** The CustomResourceDefinitions of this area, by file name, from their zod schemas. Pure: the same each time, so they can be committed and compared. */
export function buildJobCrds(): Readonly<Record<string, object>> {
  return Object.fromEntries(PARTS.map((parts) => [parts.plural, buildCrd(parts)]));
}

function buildCrd(parts: CrdParts): object {
  const { plural, singular, kind, shortName } = parts;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        plural,
        singular,
        kind,
        listKind: `${kind}List`,
        shortNames: [shortName],
        categories: ['krake'],
      },
      versions: [
        {
          name: API_VERSION.slice(GROUP.length + 1),
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: parts.columns,
          ...(parts.selectable.length === 0
            ? {}
            : { selectableFields: parts.selectable.map((jsonPath) => ({ jsonPath })) }),
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: parts.description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: buildStructuralSchema(parts.spec),
                status: buildStructuralSchema(parts.status),
              },
            },
          },
        },
      ],
    },
  };
}
