import type { KubeClient, KubeObject } from '../kube/index.ts';
import { field, textField } from './field.ts';

/** A pod that the API server has vouched for. */
export interface ReviewedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Names the token in the API server's audit log (`JTI=…`); undefined: the API server does not tell. */
  readonly credentialId: string | undefined;
}

export type TokenReview =
  | { readonly kind: 'pod'; readonly pod: ReviewedPod }
  | { readonly kind: 'refused' }
  | { readonly kind: 'of-no-pod' };

const TOKEN_REVIEWS = { apiVersion: 'authentication.k8s.io/v1', plural: 'tokenreviews' } as const;
const EXTRA = 'authentication.kubernetes.io';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;

/** Asks the API server whose token this is. @throws KubeApiError, KubeUnreachableError */
export async function reviewToken(
  client: Pick<KubeClient, 'create'>,
  token: string,
  audience: string,
  timeoutMs: number,
): Promise<TokenReview> {
  const review = await client.create<KubeObject>(
    TOKEN_REVIEWS,
    undefined,
    {
      apiVersion: TOKEN_REVIEWS.apiVersion,
      kind: 'TokenReview',
      spec: { token, audiences: [audience] },
    },
    { timeoutMs },
  );
  return readTokenReview(review, audience);
}

/** Reads the answer; nothing but what the API server itself says counts. Pure. */
export function readTokenReview(review: unknown, audience: string): TokenReview {
  const status = field(review, 'status');
  const audiences = field(status, 'audiences');
  // An authenticator that knows no audiences says none; it has not checked ours.
  const isOurs = Array.isArray(audiences) && audiences.includes(audience);
  if (field(status, 'authenticated') !== true || !isOurs) return { kind: 'refused' };
  const user = field(status, 'user');
  const extra = field(user, 'extra');
  const [, namespace] = SERVICE_ACCOUNT.exec(textField(user, 'username') ?? '') ?? [];
  const name = onlyOne(field(extra, `${EXTRA}/pod-name`));
  const uid = onlyOne(field(extra, `${EXTRA}/pod-uid`));
  if (namespace === undefined || name === undefined || uid === undefined) return { kind: 'of-no-pod' };
  return {
    kind: 'pod',
    pod: { namespace, name, uid, credentialId: onlyOne(field(extra, `${EXTRA}/credential-id`)) },
  };
}

function onlyOne(value: unknown): string | undefined {
  return Array.isArray(value) && value.length === 1 && typeof value[0] === 'string' ? value[0] : undefined;
}
