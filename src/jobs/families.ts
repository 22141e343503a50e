import { createHash } from 'node:crypto';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { KubeClient, WatchClient } from '../kube/index.ts';
import { LABEL_FAMILY } from './annotations.ts';
import { WEBHOOKS } from './api-version.ts';
import { MAX_REQUEST_BODY, MAX_URL, type Webhook } from './webhook.ts';

const familySchema = z.object({
  jobFamily: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of a CronJob'),
  url: z
    .string()
    .max(MAX_URL)
    .regex(/^https?:\/\//, 'must be an http or https URL'),
  requestBody: z.string().max(MAX_REQUEST_BODY).nullish(),
  description: z.string().max(4_096).nullish(),
});
export type JobFamily = z.infer<typeof familySchema>;

/** The original's file: a YAML list of jobFamily, url, requestBody, description. @throws Error that names the entry and member at fault */
export function parseFamilies(text: string): JobFamily[] {
  const parsed = z
    .array(familySchema)
    .max(1_000)
    .safeParse(parseYaml(text) ?? []);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `entry ${path.join('.')}: ${message}`);
  throw new Error(`the job families are not valid: ${issues.join('; ')}`);
}

/** Makes the Webhooks of the namespace that come from families what the families say: missing ones created, others of ours deleted. On repeat nothing happens. */
export async function syncFamilies(
  client: Pick<KubeClient, 'create' | 'delete'> & Pick<WatchClient, 'list'>,
  namespace: string,
  families: readonly JobFamily[],
): Promise<void> {
  const wanted = new Map(families.map((family) => [nameOf(family), family]));
  const { items } = await client.list<Webhook>(WEBHOOKS, namespace, {
    labelSelector: `${LABEL_FAMILY}=true`,
  });
  for (const { metadata } of items) {
    if (wanted.delete(metadata.name)) continue;
    await client.delete({ resource: WEBHOOKS, namespace, name: metadata.name }, { uid: metadata.uid });
  }
  for (const [name, { jobFamily, url, requestBody, description }] of wanted) {
    await client.create(WEBHOOKS, namespace, {
      apiVersion: WEBHOOKS.apiVersion,
      kind: 'Webhook',
      metadata: { name, namespace, labels: { [LABEL_FAMILY]: 'true' } },
      spec: {
        url,
        format: 'verbatim',
        requestBody: requestBody ?? '',
        description: description ?? '',
        cronJobs: [jobFamily],
      },
    });
  }
}

/** Of all that it says: a changed entry is another Webhook. */
function nameOf({ jobFamily, url, requestBody, description }: JobFamily): string {
  const hash = createHash('sha256').update(
    JSON.stringify([jobFamily, url, requestBody ?? '', description ?? '']),
  );
  return `family-${jobFamily.slice(0, 200)}-${hash.digest('hex').slice(0, 10)}`;
}
