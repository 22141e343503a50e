import { WEBHOOKS, whyDisabled, type Webhook } from '../../jobs/index.ts';
import type { KubeClient } from '../../kube/index.ts';
import { readOne, type ObjectReader } from './read-objects.ts';

/**
 * Has events sent to a disabled Webhook again, whoever disabled it. What its endpoint said counts for one generation of the spec, so the spec is
 * changed and, where it said "enabled" all along, changed back.
 */
export async function enableWebhook(
  deps: {
    readonly client: ObjectReader & Pick<KubeClient, 'patch'>;
    readonly print: (line: string) => void;
  },
  namespace: string,
  name: string,
): Promise<void> {
  const { client, print } = deps;
  const webhook = await readOne<Webhook>(client, 'Webhook', namespace, name);
  const why = whyDisabled(webhook);
  if (why === undefined) {
    print(`Webhook ${name} is enabled already`);
    return;
  }
  const set = (disabled: boolean) =>
    client.patch(
      { resource: WEBHOOKS, namespace, name },
      { type: 'merge', body: { metadata: { uid: webhook.metadata.uid }, spec: { disabled } } },
    );
  if (!webhook.spec.disabled) await set(true);
  await set(false);
  print(`Webhook ${name} is enabled; it was disabled: ${why}`);
  print(
    `what became a dead letter meanwhile: krake-hooks deliveries redeliver --failed-since 168h --webhook ${name} -n ${namespace}`,
  );
}
