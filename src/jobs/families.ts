import { isDeepStrictEqual } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { KubeApiError, type KubeClient, type WatchClient } from '../kube/index.ts';
import { LABEL_FAMILY } from './annotations.ts';
import { WEBHOOKS } from './api-version.ts';
import { MAX_REQUEST_BODY, MAX_URL, WEBHOOK_URL, type Webhook } from './webhook.ts';

const familySchema = z.object({
  jobFamily: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be the name of a CronJob'),
  url: z
    .string()
    .max(MAX_URL)
    .regex(WEBHOOK_URL, 'must be an http or https URL, without user information and blanks'),
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

export interface FamilyPlan {
  /** Ours that change, with what they become. */
  readonly changes: readonly { readonly webhook: Webhook; readonly spec: FamilySpec }[];
  readonly creations: readonly { readonly name: string; readonly spec: FamilySpec }[];
  readonly deletions: readonly Webhook[];
}

type FamilySpec = Pick<Webhook['spec'], 'url' | 'format' | 'requestBody' | 'description' | 'cronJobs'>;

/**
 * What makes Webhooks of families what the families say. A changed entry changes its Webhook in place, so that deliveries which wait for it still go out, to the
 * new URL, and the next end of a Job is told of. Pure.
 *
 * @param existing those with our label
 */
export function planFamilies(existing: readonly Webhook[], families: readonly JobFamily[]): FamilyPlan {
  const left = new Set(existing);
  // First those that are as they should be: of several entries of one family none takes the Webhook of another.
  const unmatched = families.map(specOf).filter((spec) => {
    const same = [...left].find((webhook) => isSame(webhook, spec));
    return same === undefined || !left.delete(same);
  });
  const changes: { webhook: Webhook; spec: FamilySpec }[] = [];
  const creations: { name: string; spec: FamilySpec }[] = [];
  const names = new Set(existing.map(({ metadata }) => metadata.name));
  for (const spec of unmatched) {
    const [jobFamily = ''] = spec.cronJobs;
    const webhook = [...left].find(({ spec: { cronJobs } }) => cronJobs.includes(jobFamily));
    if (webhook !== undefined) {
      left.delete(webhook);
      changes.push({ webhook, spec });
      continue;
    }
    let n = 1;
    while (names.has(nameOf(jobFamily, n))) n += 1;
    names.add(nameOf(jobFamily, n));
    creations.push({ name: nameOf(jobFamily, n), spec });
  }
  return { changes, creations, deletions: [...left] };
}

/**
 * Makes the Webhooks of the namespace that come from families what the families say: missing ones created, changed ones changed, others of ours deleted. On repeat
 * nothing happens.
 *
 * @returns what could not be done, for people; the rest is done
 */
export async function syncFamilies(
  client: Pick<KubeClient, 'create' | 'delete' | 'patch'> & Pick<WatchClient, 'list'>,
  namespace: string,
  families: readonly JobFamily[],
): Promise<readonly string[]> {
  const { items } = await client.list<Webhook>(WEBHOOKS, namespace, {
    labelSelector: `${LABEL_FAMILY}=true`,
  });
  const { changes, creations, deletions } = planFamilies(items, families);
  const problems: string[] = [];
  const attempt = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof KubeApiError)) throw error;
      problems.push(
        error.reason === 'AlreadyExists'
          ? `Webhook ${namespace}/${name} exists and is not ours (it has no label ${LABEL_FAMILY}): rename or delete it`
          : `Webhook ${namespace}/${name}: ${error.message}`,
      );
    }
  };
  for (const { webhook, spec } of changes) {
    const { name, uid } = webhook.metadata;
    await attempt(name, () =>
      client.patch(
        { resource: WEBHOOKS, namespace, name },
        { type: 'merge', body: { metadata: { uid }, spec } },
      ),
    );
  }
  for (const { name, spec } of creations) {
    const metadata = { name, namespace, labels: { [LABEL_FAMILY]: 'true' } };
    const body = { apiVersion: WEBHOOKS.apiVersion, kind: 'Webhook', metadata, spec };
    await attempt(name, () => client.create(WEBHOOKS, namespace, body));
  }
  for (const { metadata } of deletions) {
    const { name, uid } = metadata;
    await attempt(name, () => client.delete({ resource: WEBHOOKS, namespace, name }, { uid }));
  }
  return problems;
}

function specOf({ jobFamily, url, requestBody, description }: JobFamily): FamilySpec {
  return {
    url,
    format: 'verbatim',
    requestBody: requestBody ?? '',
    description: description ?? '',
    cronJobs: [jobFamily],
  };
}

function isSame({ spec }: Webhook, wanted: FamilySpec): boolean {
  const { url, format, requestBody, description, cronJobs } = spec;
  return isDeepStrictEqual({ url, format, requestBody, description, cronJobs }, wanted);
}

function nameOf(jobFamily: string, n: number): string {
  return `family-${jobFamily.slice(0, 200)}-${n}`;
}
