import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { ClientCertificateMode } from '../../src/callbacks/index.ts';
import {
  MODES,
  startCertificateScene,
  type CertificateScene,
  type Shown,
  type Token,
} from './callbacks-certificate-scene.ts';

jest.setTimeout(300_000);
let scene: CertificateScene;
beforeAll(async () => {
  scene = await startCertificateScene();
}, 600_000);
afterAll(() => scene.stop(), 60_000);

/** Status and reason of what the certificate adds to a token that is right, by mode. */
const WITH_RIGHT_TOKEN: Readonly<Record<Shown, Readonly<Record<ClientCertificateMode, string>>>> = {
  none: same('401 certificate-missing', '200', '200'),
  own: same('200', '200', '200'),
  renewed: same('200', '200', '200'),
  another: same('403 certificate-of-another', '403 certificate-of-another', '200'),
  namesake: same('403 certificate-of-another', '403 certificate-of-another', '200'),
  revoked: same('401 certificate-revoked', '401 certificate-revoked', '200'),
  expired: same('401 certificate-expired', '401 certificate-expired', '200'),
  'wrong-ca': same('401 certificate-unknown-issuer', '401 certificate-unknown-issuer', '200'),
  'server-auth': same('401 certificate-not-for-clients', '401 certificate-not-for-clients', '200'),
};
function same(required: string, optional: string, off: string): Record<ClientCertificateMode, string> {
  return { required, optional, off };
}
const TOKENS: Readonly<Record<Token, string | undefined>> = {
  own: undefined,
  former: undefined,
  another: '401 token-wrong',
  wrong: '401 token-wrong',
  'expired-former': '401 token-expired',
  none: '401 token-missing',
};

const CASES = MODES.flatMap((mode) =>
  (Object.keys(TOKENS) as Token[]).flatMap((token) =>
    (Object.keys(WITH_RIGHT_TOKEN) as Shown[]).map(
      (shown) => [mode, token, shown, TOKENS[token] ?? WITH_RIGHT_TOKEN[shown][mode]] as const,
    ),
  ),
);

describe('certificate × token × mode, over TLS', () => {
  it.each(CASES)('%s, token %s, certificate %s: %s', async (mode, token, shown, expected) => {
    const replica = scene.replica(mode);
    const shows = scene.files[shown];
    const answer = await replica.send('app-a', 'complete', {
      body: { token: scene.tokens[token] },
      ...(shows && { files: shows }),
    });
    const reason = answer.status === 200 ? '' : ` ${replica.lastReason()}`;
    expect(`${answer.status}${reason}`).toBe(expected);
  });

  it('is stored with what proved it', async () => {
    const { token, uid, own } = await scene.application('app-c');
    const replica = scene.replica('required');
    const send = async (hook: 'complete' | 'shutdown') =>
      (await replica.send('app-c', hook, { body: { token }, files: own })).status;
    expect([await send('complete'), await send('shutdown')]).toEqual([200, 200]);
    const { signals } = (await scene.setting.read('app-c')).status ?? {};
    expect(signals).toMatchObject({
      complete: { provenBy: 'token-and-certificate' },
      shutdown: { provenBy: 'token-and-certificate' },
    });
    const line = replica.logger.lines.findLast(({ message }) => message === 'callback answered');
    expect(line?.fields).toMatchObject({
      proof: 'token-and-certificate',
      certificate: own.status.sha256.slice(0, 16),
      uid,
    });
  });

  it('all 401 say the same', async () => {
    const replica = scene.replica('required');
    const answers = [];
    for (const shown of ['none', 'revoked', 'expired', 'wrong-ca', 'server-auth'] as const)
      for (const token of ['own', 'wrong'] as const) {
        const shows = scene.files[shown];
        answers.push(
          await replica.send('app-a', 'complete', {
            body: { token: scene.tokens[token] },
            ...(shows && { files: shows }),
          }),
        );
      }
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });
});
