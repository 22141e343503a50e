import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

// The local node's network plugin enforces no policy: what they say is compared with what the parts have to reach.

interface Port {
  readonly protocol?: string;
  readonly port?: number;
}
interface NetworkPolicy {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly podSelector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly egress?: readonly { readonly to?: readonly object[]; readonly ports?: readonly Port[] }[];
  };
}

const base = join(import.meta.dirname, '../../../manifests/base');
const policies = ['network-policy.yaml', 'jobs/network-policy.yaml'].flatMap((file) =>
  parseAllDocuments(readFileSync(join(base, file), 'utf8')).map(
    (document) => document.toJS() as NetworkPolicy,
  ),
);

/** All ways out of the pods of a part. */
function waysOut(part: string) {
  const labels: Readonly<Record<string, string>> = {
    'app.kubernetes.io/name': 'krake-hooks',
    [`hooks.krake.dev/part-${part}`]: 'true',
  };
  const selected = policies.filter(({ spec }) =>
    Object.entries(spec.podSelector.matchLabels ?? {}).every(([key, value]) => labels[key] === value),
  );
  return selected.flatMap(({ spec }) => spec.egress ?? []);
}

describe('the network policies', () => {
  it.each(['controller', 'jobs'])('let the %s reach services of users, at any port, and DNS', (part) => {
    const ways = waysOut(part);
    expect(ways).toContainEqual({
      ports: [
        { protocol: 'UDP', port: 53 },
        { protocol: 'TCP', port: 53 },
      ],
    });
    expect(ways).toContainEqual({
      to: [
        { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
        { ipBlock: { cidr: '::/0', except: ['fe80::/10'] } },
      ],
      ports: [{ protocol: 'TCP' }],
    });
  });

  it.each(['admission', 'gate', 'callbacks'])('let the %s reach the API server alone', (part) => {
    const [way, ...others] = waysOut(part);
    expect(others).toEqual([]);
    expect(way?.ports?.map(({ port }) => port)).toEqual([443, 6443, 8443, 16443]);
  });
});
