import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Cluster } from '../cluster/cluster.ts';
import { eventually } from './eventually.ts';
import { ensureInstalled, startCluster } from './installation.ts';
import { createNamespace, removeNamespace, type TestNamespace } from './namespace.ts';
import { onNode } from './on-node.ts';
import { pod } from './workloads.ts';

const NAME = 'hooks-e2e-krake';
const KEPT = { 'hooks.krake.dev/hooks': 'complete,shutdown', 'hooks.krake.dev/complete-action': 'none' };

/** As Krake's documentation has it, word for word. */
const DOCUMENTED = String.raw`curl -X PUT -d "{\"token\":\"$KRAKE_TOKEN\"}" $KRAKE_COMPLETE_URL \
        --cacert /etc/krake_cert/ca-bundle.pem \
        --cert /etc/krake_cert/cert.pem \
        --key /etc/krake_cert/key.pem`;

/** As the scripts of its two hooks call: names and directory of their own. Success is exactly 200. */
const hookScript = (hook: 'complete' | 'shutdown'): string => `
  directory=/etc/krake_${hook}_cert
  code=$(curl -s -o /tmp/answer -w '%{http_code}' -X PUT -H 'Content-Type: application/json' \
    -d "{\\"token\\": \\"$KRAKE_${hook.toUpperCase()}_TOKEN\\"}" "$KRAKE_${hook.toUpperCase()}_URL" \
    --cacert $directory/ca-bundle.pem --cert $directory/cert.pem --key $directory/key.pem)
  [ "$code" = 200 ] && echo "${hook} ok" || { echo "${hook} $code"; cat /tmp/answer; }`;

onNode('scripts that were written for Krake, with the profile krake', () => {
  let cluster: Cluster;
  let ns: TestNamespace;

  beforeAll(async () => {
    cluster = await startCluster();
    await ensureInstalled(cluster);
    ns = await createNamespace(cluster, NAME);
  }, 600_000);
  afterAll(() => removeNamespace(cluster, NAME), 60_000);

  it.each([
    ['documented', `${DOCUMENTED} --fail && echo 'documented ok'`],
    ['complete', hookScript('complete')],
    ['shutdown', hookScript('shutdown')],
  ])(
    'signal unmodified: %s',
    async (name, script) => {
      // The application's certificate may be a moment younger than the pod; such scripts are repeated by what runs them.
      const patient = `until { ${script}\n} 2>&1 | tee /tmp/log | grep ok; do cat /tmp/log; sleep 2; done; sleep 3600`;
      await ns.apply(pod(name, patient, KEPT));
      await eventually(`${name} to be heard`, async () => {
        const { stdout } = await ns.kubectl(['logs', name], { allowFailure: true });
        return stdout.includes(`${name} ok`) || undefined;
      });
    },
    600_000,
  );

  it('complete and shutdown are both stored, each by the same token', async () => {
    const signals = async (application: string): Promise<Readonly<Record<string, { provenBy: string }>>> => {
      const found = await ns.json<{ status: { signals?: Record<string, { provenBy: string }> } }>([
        'get',
        'application',
        application,
      ]);
      return found.status.signals ?? {};
    };
    expect((await signals('pod-documented')).complete?.provenBy).toBe('token-and-certificate');
    expect((await signals('pod-complete')).complete?.provenBy).toBe('token-and-certificate');
    expect((await signals('pod-shutdown')).shutdown?.provenBy).toBe('token-and-certificate');
  }, 60_000);
});
