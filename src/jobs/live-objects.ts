import type { KubeClient } from '../kube/index.ts';
import { JOBS, WEBHOOKS } from './api-version.ts';
import { projectJob, type JobFacts } from './job-facts.ts';
import { projectWebhook } from './project-webhook.ts';
import type { Webhook } from './webhook.ts';

type Reader = Pick<KubeClient, 'get'>;

/** The Job as the API server has it, not as a watch has brought it; undefined: there is none. Rejects when the API server cannot be asked. */
export async function readJob(
  client: Reader,
  namespace: string,
  name: string,
): Promise<JobFacts | undefined> {
  const job = await client.get({ resource: JOBS, namespace, name });
  return job && projectJob(job);
}

/** The Webhook as the API server has it; undefined: there is none, or it is being deleted. Rejects when the API server cannot be asked. */
export async function readWebhook(
  client: Reader,
  namespace: string,
  name: string,
): Promise<Webhook | undefined> {
  const webhook = await client.get({ resource: WEBHOOKS, namespace, name });
  return webhook && projectWebhook(webhook);
}
