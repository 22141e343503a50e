import { z } from 'zod';
import { GROUP, MANAGED_BY } from '../contract/index.ts';
import type { KubeObject } from '../kube/index.ts';
import type { CaState } from './ca-state.ts';
import {
  describeCertificate,
  parseCertificates,
  parseCertificateWithKey,
  type CertificateWithKey,
} from './certificate.ts';

/** Annotation on the CA Secret: any new value asks for one rotation. */
export const ANNOTATION_ROTATE = `${GROUP}/rotate`;

export interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** What was read of the Secret; `problems` says in words what of it could not be used. */
export interface ReadCaSecret {
  readonly state: CaState;
  readonly requested: string | undefined;
  readonly problems: readonly string[];
}

// The keys of the Secret. Certificates and keys have one each, so that kubectl and openssl can show them; the rest is one JSON text.
const CURRENT = { cert: 'ca.crt', key: 'ca.key' } as const;
const NEXT = { cert: 'next.crt', key: 'next.key' } as const;
const STATE = 'state.json';

const stateSchema = z.object({
  nextTrustedSince: z.iso.datetime().optional(),
  previous: z.array(z.object({ cert: z.string(), trustUntil: z.iso.datetime() })).default([]),
  handledRequest: z.string().optional(),
});

/**
 * Reads the Secret. Never throws: whatever is damaged is left out and named in `problems`, and planRotation goes on from what is left. The
 * problems name keys of the Secret, never what is in them.
 */
export function parseCaSecret(secret: Secret): ReadCaSecret {
  const problems: string[] = [];
  const attempt = <T>(key: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      problems.push(`${key}: ${error instanceof Error ? error.message : 'cannot be read'}`);
      return undefined;
    }
  };
  const extra = attempt(STATE, () => readExtra(secret)) ?? { previous: [] };
  const current = attempt(CURRENT.cert, () => readPair(secret, CURRENT));
  if (current === undefined && problems.length === 0) problems.push(`${CURRENT.cert}: is missing`);
  const next = attempt(NEXT.cert, () => readPair(secret, NEXT));
  const previous = extra.previous.flatMap(({ cert, trustUntil }, index) => {
    const read = attempt(`${STATE} previous[${index}]`, () =>
      parseCertificates(cert).map(describeCertificate),
    );
    return (read ?? []).map((certificate) => ({ ...certificate, trustUntil: Date.parse(trustUntil) }));
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

/** The Secret's `data` for a state: parseCaSecret reads the same state from it. */
export function buildCaSecretData(state: CaState): Record<string, string> {
  const extra: z.input<typeof stateSchema> = {
    ...(state.next && { nextTrustedSince: new Date(state.next.trustedSince).toISOString() }),
    previous: state.previous.map(({ cert, trustUntil }) => ({
      cert,
      trustUntil: new Date(trustUntil).toISOString(),
    })),
    ...(state.handledRequest !== undefined && { handledRequest: state.handledRequest }),
  };
  const texts = {
    ...(state.current && { [CURRENT.cert]: state.current.cert, [CURRENT.key]: state.current.key }),
    ...(state.next && { [NEXT.cert]: state.next.cert, [NEXT.key]: state.next.key }),
    [STATE]: JSON.stringify(extra),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
}

/** A new Secret with this state. */
export function buildCaSecret(name: string, namespace: string, state: CaState): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': MANAGED_BY } },
    data: buildCaSecretData(state),
  };
}

function readPair(secret: Secret, keys: typeof CURRENT | typeof NEXT): CertificateWithKey | undefined {
  const cert = readText(secret, keys.cert);
  const key = readText(secret, keys.key);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new Error(`${keys.cert} or ${keys.key} is missing`);
  const pair = parseCertificateWithKey(cert, key);
  if (!parseCertificates(cert).every((certificate) => certificate.ca))
    throw new Error('is no CA certificate');
  return pair;
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
