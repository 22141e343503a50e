import { describe, expect, it } from '@jest/globals';
import jsonPatch from 'fast-json-patch';
import type { ObjectRef } from '../../../src/kube/index.ts';
import { issueCa } from '../../../src/pki/issue-certificate.ts';
import {
  buildCaBundlePatch,
  isTrustedByWebhooks,
  type WebhookConfiguration,
  type WebhookConfigurationRef,
} from '../../../src/pki/webhook-configuration.ts';

const PEM = 'the bundle\n';
const BASE64 = Buffer.from(PEM).toString('base64');

function configuration(...bundles: (string | undefined)[]): WebhookConfiguration {
  return {
    metadata: { name: 'krake-hooks', resourceVersion: '7' },
    webhooks: bundles.map((caBundle, index) => ({
      name: `w${index}.krake.dev`,
      clientConfig: caBundle === undefined ? {} : { caBundle },
    })),
  };
}

function applied(to: WebhookConfiguration, patch: unknown[] | undefined): WebhookConfiguration {
  const operations = (patch ?? []) as jsonPatch.Operation[];
  return jsonPatch.applyPatch(structuredClone(to), operations, true).newDocument;
}

describe('buildCaBundlePatch', () => {
  it.each([
    ['absent', [undefined]],
    ['empty', ['']],
    ['other', ['b3RoZXI=']],
    ['some right, some not', [BASE64, undefined, 'b3RoZXI=', BASE64]],
  ])('%s: each webhook has the bundle afterwards and nothing is left to do', (_, bundles) => {
    const before = configuration(...bundles);
    const after = applied(before, buildCaBundlePatch(before, PEM));
    expect(after).toEqual(configuration(...bundles.map(() => BASE64)));
    expect(buildCaBundlePatch(after, PEM)).toBeUndefined();
  });

  it('leaves a webhook alone that has the bundle', () => {
    const patch = buildCaBundlePatch(configuration(BASE64, 'b3RoZXI='), PEM);
    expect(JSON.stringify(patch)).not.toContain('/webhooks/0/');
  });

  it('has nothing to do for a configuration without webhooks', () => {
    expect(buildCaBundlePatch({ metadata: { name: 'x' } }, PEM)).toBeUndefined();
  });

  it('fails when the webhooks were re-ordered in between', () => {
    const before = configuration(undefined, BASE64);
    const patch = buildCaBundlePatch(before, PEM);
    const reordered = { ...before, webhooks: [...(before.webhooks ?? [])].reverse() };
    expect(() => applied(reordered, patch)).toThrow('TEST_OPERATION_FAILED');
  });

  it('fails when the configuration was changed in between', () => {
    const before = configuration(undefined);
    const patch = buildCaBundlePatch(before, PEM);
    const changed = { ...before, metadata: { ...before.metadata, resourceVersion: '8' } };
    expect(() => applied(changed, patch)).toThrow('TEST_OPERATION_FAILED');
  });
});

describe('isTrustedByWebhooks', () => {
  const ADMISSION: WebhookConfigurationRef = { kind: 'MutatingWebhookConfiguration', name: 'krake-hooks' };
  const GATE: WebhookConfigurationRef = { kind: 'ValidatingWebhookConfiguration', name: 'krake-hooks-gate' };
  const clientOf = (configurations: Readonly<Record<string, WebhookConfiguration>>) => ({
    get: <T>({ resource, name }: ObjectRef) =>
      Promise.resolve(configurations[`${resource.plural}/${name}`] as T | undefined),
  });

  it('each webhook of each configuration that exists has to trust it', async () => {
    const [mine, other] = [
      await issueCa({ now: Date.now(), lifetimeMs: 60_000 }),
      await issueCa({ now: Date.now(), lifetimeMs: 60_000 }),
    ];
    const bundleOf = (...pems: string[]) => Buffer.from(pems.join('')).toString('base64');
    const trusting = configuration(bundleOf(mine.cert), bundleOf(other.cert, mine.cert));
    const lagging = configuration(bundleOf(mine.cert), bundleOf(other.cert));
    const ask = (admission: WebhookConfiguration | undefined, gate: WebhookConfiguration | undefined) =>
      isTrustedByWebhooks(
        clientOf({
          ...(admission && { 'mutatingwebhookconfigurations/krake-hooks': admission }),
          ...(gate && { 'validatingwebhookconfigurations/krake-hooks-gate': gate }),
        }),
        [ADMISSION, GATE],
        mine.cert,
      );
    expect(await ask(undefined, undefined)).toBe(true);
    expect(await ask(trusting, undefined)).toBe(true);
    expect(await ask(trusting, trusting)).toBe(true);
    expect(await ask(trusting, lagging)).toBe(false);
    expect(await ask(lagging, trusting)).toBe(false);
    expect(await ask(trusting, configuration(undefined))).toBe(false);
  });
});
