import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ANNOTATION_REFERENCE } from '../../../src/contract/index.ts';
import { signWebhook } from '../../../src/outbound/index.ts';
import type { CallerCertificate, ClientCertificate } from '../../../src/pki/index.ts';
import { HOUR, makeClientChain } from '../pki/client-chains.ts';

// What the guide gives people to copy is run here as it stands.

const guide = readFileSync('docs/shutdown.md', 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'shutdown-guide-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const blockOf = (language: string): string => {
  const block = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(guide)?.[1];
  if (block === undefined) throw new Error(`the guide has no ${language}`);
  return block;
};

const token = Buffer.alloc(32, 7).toString('base64url');
const key = Buffer.alloc(32, 7);
const now = 1_795_248_000;
const body = '{"application":"deployment-wéb"}';
const signed = { ...signWebhook({ id: 'c-1', timestamp: now, body, keys: [{ type: 'hmac', key }] }) };
const signature = signed['webhook-signature'];

const keyOf = ({ certPem, keyPem }: ClientCertificate) => ({
  certificate: new X509Certificate(certPem),
  key: createPrivateKey(keyPem),
});

const CASES: readonly (readonly [string, object, string, boolean])[] = [
  ['ours', signed, body, true],
  ['ours among others', { ...signed, 'webhook-signature': `v1,AAAA ${signature}` }, body, true],
  ['another body', signed, '{}', false],
  ['another time', { ...signed, 'webhook-timestamp': String(now + 1) }, body, false],
  ['another conversation', { ...signed, 'webhook-id': 'c-2' }, body, false],
  ['another version', { ...signed, 'webhook-signature': signature.replace('v1,', 'v1a,') }, body, false],
  ['no headers', {}, body, false],
];

describe('the guide to the shutdown hook', () => {
  it('has a Node example that knows who asks', () => {
    const file = join(directory, 'service.mjs');
    writeFileSync(file, blockOf('js'));
    const script = `
      const { isGenuine } = await import(${JSON.stringify(file)});
      const cases = JSON.parse(process.argv[1]);
      const answers = cases.map(([, headers, body]) => isGenuine(headers, body, ${now + 10}));
      answers.push(isGenuine(cases[0][1], cases[0][2], ${now + 301}), isGenuine(cases[0][1], cases[0][2], ${now - 301}));
      console.log(JSON.stringify(answers));`;
    const output = execFileSync(
      process.execPath,
      ['--input-type=module', '-e', script, JSON.stringify(CASES)],
      { env: { KRAKE_TOKEN: token }, encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual([...CASES.map(([, , , genuine]) => genuine), false, false]);
  });

  it('has a Node example that knows who asks an application with a pod identity', async () => {
    const chain = await makeClientChain(now * 1_000);
    const other = await makeClientChain(now * 1_000);
    const confirm = 'https://callbacks.test/kubernetes/namespaces/shop/applications/deployment-web/shutdown';
    const ask = (by: CallerCertificate, text: string) => ({
      ...signWebhook({ id: 'c-1', timestamp: now, body: text, keys: [{ type: 'ed25519', key: by.key }] }),
      'krake-certificate': by.certificate.raw.toString('base64'),
    });
    const controller = await chain.caller();
    const application = await chain.issue();
    const asApplication = { certificate: new X509Certificate(application.certPem), key: controller.key };
    const own = JSON.stringify({ application: 'deployment-wéb', confirm });
    const genuine = ask(controller, own);
    const cases: readonly (readonly [string, object, string, boolean])[] = [
      ['the controller', genuine, own, true],
      ['another body', genuine, JSON.stringify({ application: 'x', confirm }), false],
      [
        'what another application was asked',
        ask(controller, '{"confirm":"other"}'),
        '{"confirm":"other"}',
        false,
      ],
      ['a controller elsewhere', ask(await other.caller(), own), own, false],
      [
        'one whose certificate has ended',
        ask(await chain.caller({ at: now * 1_000 - 2 * HOUR, lifetimeMs: HOUR }), own),
        own,
        false,
      ],
      ['an application', { ...genuine, ...ask({ ...controller, ...asApplication }, own) }, own, false],
      ['an application, with its own key', ask({ ...controller, ...keyOf(application) }, own), own, false],
      ['no certificate', { ...genuine, 'krake-certificate': undefined }, own, false],
      ['no headers', {}, own, false],
    ];
    const file = join(directory, 'identity.mjs');
    const bundle = join(directory, 'ca-bundle.pem');
    writeFileSync(file, blockOf('mjs'));
    writeFileSync(bundle, chain.ca + chain.intermediate);
    const script = `
      const { isGenuine } = await import(${JSON.stringify(file)});
      const cases = JSON.parse(process.argv[1]);
      const answers = cases.map(([, headers, body]) => isGenuine(headers, body, ${now + 10}));
      answers.push(isGenuine(cases[0][1], cases[0][2], ${now + 301}));
      console.log(JSON.stringify(answers));`;
    const output = execFileSync(
      process.execPath,
      ['--input-type=module', '-e', script, JSON.stringify(cases)],
      { env: { KRAKE_SHUTDOWN_URL: confirm, CA_BUNDLE: bundle }, encoding: 'utf8' },
    );
    expect(JSON.parse(output)).toEqual([...cases.map(([, , , wanted]) => wanted), false]);
  });

  it('names only annotations that there are', () => {
    const named = new Set(
      guide.match(/\bshutdown-(?:service|timeout|retries|failure|on|when|[a-z]+)(?=[:`])/g),
    );
    const known = ANNOTATION_REFERENCE.map((entry) => entry.key.slice(entry.key.indexOf('/') + 1));
    expect(named.size).toBeGreaterThan(3);
    for (const name of named) expect(known).toContain(name);
  });
});

describe('the README', () => {
  const readme = readFileSync('README.md', 'utf8');
  const shutdown = ANNOTATION_REFERENCE.filter(({ hook }) => hook === 'shutdown');

  it.each(shutdown.map((entry) => [entry.key.slice(entry.key.indexOf('/') + 1), entry.byDefault]))(
    'says that the default of %s is %s',
    (name, byDefault) => {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\``));
      expect(row?.split('|')[2]?.trim()).toBe(`\`${byDefault ?? ''}\``);
    },
  );
});
