import { createPrivateKey } from 'node:crypto';
import type { Clock, EventRecorder, KubeClient } from '../../kube/index.ts';
import type { Logger } from '../../observability/index.ts';
import { createCaKeeper, type CaKeeperWords } from '../ca-keeper.ts';
import type { CaState } from '../ca-state.ts';
import { createCaStore } from '../ca-store.ts';
import { parseCertificates } from '../certificate.ts';
import type { RotationTiming } from '../plan-rotation.ts';
import { createPoll } from '../poll.ts';
import { createClientCertificateSigner, type ClientCertificateSigner } from './sign-client-certificate.ts';
import type { SignerSource } from './signer-source.ts';
import { issueOwnSigner, SIGNING_LAYOUT, type OwnSigner } from './signing-secret.ts';
import type { WantedTrust } from './trust-config-map.ts';
import type { TrustKeeper } from './trust-keeper.ts';

export interface OwnSignerSourceDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly trustKeeper: TrustKeeper;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly events?: Pick<EventRecorder, 'record'>;
  /** Called after each look at the Secret. */
  readonly onLook: () => void;
}

export interface OwnSignerSourceOptions {
  readonly namespace: string;
  readonly secretName: string;
  readonly hookUser: string;
  readonly timing: RotationTiming;
  readonly pollIntervalMs: number;
}

/**
 * A CA and an intermediate of the service's own, in one Secret. Each replica carries out what is due, as with the serving CA. Whatever signs is in the
 * ConfigMap before: while that cannot be written, nothing new signs.
 */
export function createOwnSignerSource(
  deps: OwnSignerSourceDeps,
  options: OwnSignerSourceOptions,
): SignerSource {
  const { client, trustKeeper, logger, clock, events } = deps;
  const { namespace, secretName, timing } = options;
  let adopted: { readonly cert: string; readonly signer: ClientCertificateSigner } | undefined;

  async function adopt(state: CaState<OwnSigner>): Promise<void> {
    await trustKeeper.publish(wantedTrust(state));
    const { current } = state;
    if (current === undefined || current.cert === adopted?.cert) return;
    const [certificate] = parseCertificates(current.cert);
    if (certificate === undefined) return;
    const issuer = { certificate, key: createPrivateKey(current.key), notAfter: current.notAfter };
    adopted = { cert: current.cert, signer: createClientCertificateSigner(issuer, options.hookUser) };
  }

  const keeper = createCaKeeper<OwnSigner>(
    {
      store: createCaStore(client, SIGNING_LAYOUT, { namespace, caSecretName: secretName }),
      logger,
      clock,
      ...(events && { events }),
      words: WORDS,
      // By age alone, the CA goes on. Who asks for a rotation, or has deleted the Secret, does not trust its keys any more: a new CA too.
      issue: (reason, state) =>
        issueOwnSigner(reason === 'due' ? state?.current : undefined, clock.now(), timing.caLifetimeMs),
      isTrusted: (cert) => Promise.resolve(trustKeeper.trusts(cert)),
      onState: adopt,
    },
    timing,
  );
  const poll = createPoll(
    { clock, logger },
    {
      subject: 'Secret with the signing certificate of applications',
      intervalMs: () => options.pollIntervalMs,
      async run() {
        await keeper.reconcile();
        deps.onLook();
      },
    },
  );
  return {
    async start(signal) {
      poll.start(signal);
      await poll.succeeded();
    },
    stop: () => poll.stop(),
    current: () => adopted?.signer,
    chainPem: () => trustKeeper.pem(),
  };
}

function wantedTrust({ current, next, previous }: CaState<OwnSigner>): WantedTrust[] {
  const inUse = [current, next].filter((signer) => signer !== undefined);
  return [
    ...inUse.map(({ cert }) => ({ chain: parseCertificates(cert), trustUntil: undefined })),
    ...previous.map(({ cert, trustUntil }) => ({ chain: parseCertificates(cert), trustUntil })),
  ];
}

const WORDS: CaKeeperWords = {
  secret: 'the signing Secret',
  trustedBy: 'the trust ConfigMap',
  eventPrefix: 'Signing',
  notes: {
    created: 'A CA and an intermediate were made; the intermediate signs applications’ certificates.',
    restored: 'The Secret was deleted or damaged; what signs was put back, and its rotation begins.',
    repaired: 'Damaged parts of the Secret were put back or left out.',
    'current-unusable': 'The signing certificate was damaged or has expired; another one signs from now on.',
    'next-unusable':
      'The next signing certificate has expired before it was used; a new one takes its place.',
    'trust-ended': 'All that an old signing certificate signed has expired; it is trusted no more.',
    promoted:
      'The next signing certificate signs from now on; the old one stays trusted until all it signed has expired.',
    due: 'Two thirds of the life of the signing certificate are over; the next one is trusted from now on.',
    requested: 'A rotation was requested; the next signing certificate is trusted from now on.',
  },
};
