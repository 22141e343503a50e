import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import type { ClientCertificateMode } from '../../src/callbacks/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  createClientCa,
  startTlsReplica,
  type ClientCa,
  type ClientFiles,
  type TlsReplica,
} from './callbacks-certificates.ts';
import { NAMESPACE, sha256, startCallbacksSetting, type CallbacksSetting } from './callbacks-setting.ts';

const HOUR_MS = 3_600_000;
export const MODES = ['required', 'optional', 'off'] as const;
export const TRUSTED_PROXY = '127.0.0.7';

export type Token = 'own' | 'another' | 'wrong' | 'former' | 'expired-former' | 'none';
export type Shown =
  'none' | 'own' | 'renewed' | 'another' | 'namesake' | 'revoked' | 'expired' | 'wrong-ca' | 'server-auth';

/** A replica in each mode, the applications app-a and app-b, and all that may be shown at app-a. */
export interface CertificateScene {
  readonly setting: CallbacksSetting;
  readonly ca: ClientCa;
  readonly tokens: Readonly<Record<Token, string | undefined>>;
  readonly files: Readonly<Record<Shown, ClientFiles | undefined>>;
  replica(mode: ClientCertificateMode): TlsReplica;
  /** With a certificate that its status lists, known to the replica that requires one. */
  application(
    name: string,
  ): Promise<{ readonly token: string; readonly uid: string; readonly own: ClientFiles }>;
  writeStatus(name: string, status: object): Promise<Application>;
  stop(): Promise<void>;
}

export async function startCertificateScene(): Promise<CertificateScene> {
  const setting = await startCallbacksSetting();
  const ca = await createClientCa();
  await ca.publish(setting.admin);
  const replicas = new Map<ClientCertificateMode, TlsReplica>();

  function writeStatus(name: string, status: object): Promise<Application> {
    const ref = { resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' } as const;
    return setting.admin.patch<Application>(ref, { type: 'merge', body: { status } });
  }
  async function make(name: string) {
    const token = await setting.createApplication(name, { hooks: ['complete', 'shutdown'] });
    const { uid } = (await setting.read(name)).metadata;
    return { token, uid, own: await ca.issue({ namespace: NAMESPACE, name, uid }) };
  }
  function replica(mode: ClientCertificateMode): TlsReplica {
    const started = replicas.get(mode);
    if (started === undefined) throw new Error(`no replica for ${mode}`);
    return started;
  }

  const [a, b] = [await make('app-a'), await make('app-b')];
  const identity = { namespace: NAMESPACE, name: 'app-a', uid: a.uid };
  const files = {
    none: undefined,
    own: a.own,
    renewed: await ca.issue(identity),
    another: b.own,
    namesake: await ca.issue({ ...identity, uid: '00000000-0000-4000-8000-000000000000' }),
    revoked: await ca.issue(identity),
    expired: await ca.issue(identity, Date.now() - 2 * HOUR_MS),
    'wrong-ca': await (await createClientCa()).issue(identity),
    'server-auth': await ca.issueForServers(),
  };
  const former = { valid: 'former-token-that-is-taken', expired: 'former-token-that-is-void' };
  await writeStatus('app-a', {
    // All but the revoked one: what is refused for something else is refused although it is listed.
    certificates: [files.own, files.renewed, files.expired, files['wrong-ca']].map(({ status }) => status),
    formerTokens: [
      { sha256: sha256(former.expired), validUntil: new Date(Date.now() - 1_000).toISOString() },
      { sha256: sha256(former.valid), validUntil: new Date(Date.now() + HOUR_MS).toISOString() },
    ],
  });
  await writeStatus('app-b', { certificates: [b.own.status] });
  for (const mode of MODES) {
    const started = await startTlsReplica(setting, {
      clientCertificate: mode,
      trustedProxies: [`${TRUSTED_PROXY}/32`],
      ratePerApplicationPerSecond: 1e6,
      rateBurst: 1e6,
    });
    replicas.set(mode, started);
  }

  return {
    setting,
    ca,
    files,
    tokens: {
      own: a.token,
      another: b.token,
      wrong: 'wrong',
      former: former.valid,
      'expired-former': former.expired,
      none: undefined,
    },
    replica,
    writeStatus,
    async application(name) {
      const made = await make(name);
      await writeStatus(name, { certificates: [made.own.status] });
      await waitFor('its certificate in the cache', () =>
        Promise.resolve(
          replica('required').cache.get(NAMESPACE, name)?.certificates.length === 1 ? true : undefined,
        ),
      );
      return made;
    },
    async stop() {
      for (const started of replicas.values()) await started.stop();
      await setting.stop();
    },
  };
}
