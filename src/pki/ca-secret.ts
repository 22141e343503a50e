import { z } from 'zod';
import { GROUP, MANAGED_BY } from '../contract/index.ts';
import type { KubeObject } from '../kube/index.ts';
import type { CaState } from './ca-state.ts';
import {
  describeChain,
  parseCertificates,
  parseCertificateWithKey,
  type CertificateWithKey,
} from './certificate.ts';

/** Annotation on a Secret of CAs: any new value asks for one rotation. */
export const ANNOTATION_ROTATE = `${GROUP}/rotate`;

export interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** What was read of the Secret; `problems` says in words what of it could not be used. */
export interface ReadCaSecret<C extends CertificateWithKey = CertificateWithKey> {
  readonly state: CaState<C>;
  readonly requested: string | undefined;
  readonly problems: readonly string[];
}

export type CaSlot = 'current' | 'next';

/**
 * Where a Secret has what signs. Certificates and keys have a key of the Secret each, so that kubectl and openssl can show them; the rest is
 * one JSON text.
 */
export interface CaSecretLayout<C extends CertificateWithKey> {
  /** The key of the Secret that is named when there is nothing in a slot. */
  readonly mainKey: Readonly<Record<CaSlot, string>>;
  /**
   * @param read the text of a key of the Secret; undefined: it is missing or empty
   * @returns undefined: the slot is empty
   * @throws Error that says what is wrong, without any content
   */
  read(slot: CaSlot, read: (key: string) => string | undefined): C | undefined;
  write(slot: CaSlot, ca: C): Record<string, string>;
}

const STATE = 'state.json';

const stateSchema = z.object({
  nextTrustedSince: z.iso.datetime().optional(),
  previous: z.array(z.object({ cert: z.string(), trustUntil: z.iso.datetime() })).default([]),
  handledRequest: z.string().optional(),
});

/** The Secret of the serving CA. */
export const SERVING_CA_LAYOUT: CaSecretLayout<CertificateWithKey> = {
  mainKey: { current: 'ca.crt', next: 'next.crt' },
  read: (slot, read) => readCa(slot === 'current' ? ['ca.crt', 'ca.key'] : ['next.crt', 'next.key'], read),
  write: (slot, { cert, key }) =>
    slot === 'current' ? { 'ca.crt': cert, 'ca.key': key } : { 'next.crt': cert, 'next.key': key },
};

/**
 * One CA certificate and its key from two keys of a Secret; undefined: both are missing.
 *
 * @throws Error that says what is wrong, without any content
 */
export function readCa(
  [certName, keyName]: readonly [cert: string, key: string],
  read: (key: string) => string | undefined,
): CertificateWithKey | undefined {
  const cert = read(certName);
  const key = read(keyName);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new Error(`${certName} or ${keyName} is missing`);
  const pair = parseCertificateWithKey(cert, key);
  if (!parseCertificates(cert).every((certificate) => certificate.ca))
    throw new Error('is no CA certificate');
  return pair;
}

/** {@link parseSecretOf} for the serving CA. */
export function parseCaSecret(secret: Secret): ReadCaSecret {
  return parseSecretOf(SERVING_CA_LAYOUT, secret);
}

/**
 * Reads the Secret. Never throws: whatever is damaged is left out and named in `problems`, and planRotation goes on from what is left. The
 * problems name keys of the Secret, never what is in them.
 */
export function parseSecretOf<C extends CertificateWithKey>(
  layout: CaSecretLayout<C>,
  secret: Secret,
): ReadCaSecret<C> {
  const problems: string[] = [];
  const attempt = <T>(key: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(`${key}: ${error instanceof Error ? error.message : 'cannot be read'}`);
      return undefined;
    }
  };
  const text = (key: string) => readText(secret, key);
  const extra = attempt(STATE, () => readExtra(secret)) ?? { previous: [] };
  const current = attempt(layout.mainKey.current, () => layout.read('current', text));
  if (current === undefined && problems.length === 0) problems.push(`${layout.mainKey.current}: is missing`);
  const next = attempt(layout.mainKey.next, () => layout.read('next', text));
  const previous = extra.previous.flatMap(({ cert, trustUntil }, index) => {
    const read = attempt(`${STATE} previous[${index}]`, () => describeChain(parseCertificates(cert)));
    return read === undefined ? [] : [{ ...read, trustUntil: Date.parse(trustUntil) }];
  });
  const trustedSince = Date.parse(extra.nextTrustedSince ?? '');
  if (next !== undefined && Number.isNaN(trustedSince))
    problems.push(`${STATE}: nextTrustedSince is missing`);
  return {
    state: {
      current,
      next: next === undefined || Number.isNaN(trustedSince) ? undefined : { ...next, trustedSince },
      previous,
      handledRequest: extra.handledRequest,
    },
    requested: secret.metadata.annotations?.[ANNOTATION_ROTATE],
    problems,
  };
}

/** The Secret's `data` for a state: parseSecretOf reads the same state from it. */
export function buildCaSecretData<C extends CertificateWithKey>(
  layout: CaSecretLayout<C>,
  state: CaState<C>,
): Record<string, string> {
  const extra: z.input<typeof stateSchema> = {
    ...(state.next && { nextTrustedSince: new Date(state.next.trustedSince).toISOString() }),
    previous: state.previous.map(({ cert, trustUntil }) => ({
      cert,
      trustUntil: new Date(trustUntil).toISOString(),
    })),
    ...(state.handledRequest !== undefined && { handledRequest: state.handledRequest }),
  };
  const texts = {
    ...(state.current && layout.write('current', state.current)),
    ...(state.next && layout.write('next', state.next)),
    [STATE]: JSON.stringify(extra),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}

/** A new Secret with this data. */
export function buildCaSecret(name: string, namespace: string, data: Record<string, string>): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': MANAGED_BY } },
    data,
  };
}

function readExtra(secret: Secret): z.output<typeof stateSchema> {
  const text = readText(secret, STATE);
  if (text === undefined) return { previous: [] };
  const parsed = stateSchema.safeParse(parseJson(text));
  if (!parsed.success) throw new Error('is not what krake-hooks writes there');
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is no JSON'); // the parser's own message quotes the text
  }
}

function readText(secret: Secret, key: string): string | undefined {
  const value = secret.data?.[key];
  return value === undefined || value === '' ? undefined : Buffer.from(value, 'base64').toString('utf8');
}
