import { createHash } from 'node:crypto';
import { bearerOf } from '../http/index.ts';
import type { KubeClient, KubeObject } from '../kube/index.ts';
import { problem, type Outcome } from './outcome.ts';
import { createQuestionBudget, QuestionRefused } from './question-budget.ts';
import { mayBeOurs } from './read-token.ts';
import { createRecentAnswers } from './recent-answers.ts';

export interface AuthorizeOptions {
  /** Who sends no token may act in these namespaces, in the first one unless they name another; empty: nobody. */
  readonly anonymousNamespaces: readonly string[];
  /** Audiences of which a token has to have one; empty: those of the API server itself. */
  readonly audiences: readonly string[];
}

export interface Access {
  readonly verb: 'get' | 'list' | 'create';
  readonly resource: 'webhooks' | 'jobdonewatchers';
  /** The namespace that the caller names. */
  readonly namespace: string | undefined;
  readonly authorization: string | undefined;
  /** Where the request comes from: who sends what is refused again and again is not asked about for a while. */
  readonly source: string;
}

export type Authorized =
  | { readonly kind: 'allowed'; readonly namespace: string }
  | { readonly kind: 'refused'; readonly outcome: Outcome };

/** Who may do this, and in which namespace. Rejects when the API server cannot be asked. */
export type Authorize = (access: Access) => Promise<Authorized>;

interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface TokenReview extends KubeObject {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: User;
    readonly audiences?: readonly string[];
  };
}
interface AccessReview extends KubeObject {
  readonly status?: { readonly allowed?: boolean };
}

const TOKEN_REVIEWS = { apiVersion: 'authentication.k8s.io/v1', plural: 'tokenreviews' } as const;
const ACCESS_REVIEWS = { apiVersion: 'authorization.k8s.io/v1', plural: 'subjectaccessreviews' } as const;
const REMEMBERED = { keepMs: 10_000, max: 10_000 };
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;
const TIMEOUT_MS = 5_000;

export interface AuthorizeClock {
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** Each token, and each right, is asked about once in ten seconds and once at a time, and no more are asked about than the budget has. */
export function createAuthorize(
  client: Pick<KubeClient, 'create'>,
  options: AuthorizeOptions,
  { now, monotonic }: AuthorizeClock,
): Authorize {
  const budget = createQuestionBudget(monotonic);
  const users = createRecentAnswers<User | undefined>(REMEMBERED, monotonic);
  const accesses = createRecentAnswers<boolean>(REMEMBERED, monotonic);

  async function review(token: string): Promise<User | undefined> {
    const { audiences } = options;
    const body = {
      apiVersion: TOKEN_REVIEWS.apiVersion,
      kind: 'TokenReview',
      metadata: {},
      spec: { token, ...(audiences.length > 0 && { audiences }) },
    };
    const { status } = await client.create<TokenReview>(TOKEN_REVIEWS, undefined, body, {
      timeoutMs: TIMEOUT_MS,
    });
    // An authenticator that knows no audiences says none: it has not checked ours.
    const isForUs =
      audiences.length === 0 || audiences.some((audience) => status?.audiences?.includes(audience));
    return status?.authenticated === true && isForUs ? status.user : undefined;
  }

  async function whoIs(token: string, hash: string, source: string): Promise<User | undefined> {
    if (!mayBeOurs(token, options.audiences, now())) return undefined;
    return users.get(hash, async () => {
      const user = await budget.ask(source, () => review(token));
      if (user === undefined) budget.refused(source);
      return user;
    });
  }

  async function mayAccess(user: User, namespace: string, { verb, resource }: Access): Promise<boolean> {
    const { username, uid, groups, extra } = user;
    const body = {
      apiVersion: ACCESS_REVIEWS.apiVersion,
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: {
        user: username,
        ...(uid !== undefined && { uid }),
        ...(groups !== undefined && { groups }),
        ...(extra !== undefined && { extra }),
        resourceAttributes: { namespace, verb, group: 'hooks.krake.dev', resource },
      },
    };
    const { status } = await client.create<AccessReview>(ACCESS_REVIEWS, undefined, body, {
      timeoutMs: TIMEOUT_MS,
    });
    return status?.allowed === true;
  }

  function anonymous({ namespace }: Access): Authorized {
    const [byDefault] = options.anonymousNamespaces;
    if (byDefault === undefined) {
      return refused(401, 'token-missing', 'Send the token of a service account: Authorization: Bearer ….', {
        'WWW-Authenticate': 'Bearer realm="krake-hooks"',
      });
    }
    const wanted = namespace ?? byDefault;
    if (options.anonymousNamespaces.includes(wanted)) return { kind: 'allowed', namespace: wanted };
    return refused(403, 'namespace-not-allowed', 'Without a token this namespace cannot be used.');
  }

  async function authorize(access: Access, authorization: string): Promise<Authorized> {
    const { source } = access;
    const token = bearerOf(authorization);
    const hash = createHash('sha256')
      .update(token ?? '')
      .digest('base64');
    const user = token === undefined ? undefined : await whoIs(token, hash, source);
    if (user === undefined) {
      return refused(
        401,
        'token-invalid',
        `The token is not valid here. ${whichToMount(options.audiences)}`,
        {
          'WWW-Authenticate': 'Bearer realm="krake-hooks", error="invalid_token"',
        },
      );
    }
    const namespace = access.namespace ?? SERVICE_ACCOUNT.exec(user.username)?.[1];
    if (namespace === undefined) {
      return refused(
        400,
        'namespace-missing',
        'Name a namespace: ?namespace=NAME. Only service accounts have one of their own.',
      );
    }
    const key = [hash, namespace, access.verb, access.resource].join('\n');
    const isAllowed = await accesses.get(key, async () => {
      const allowed = await budget.ask(source, () => mayAccess(user, namespace, access));
      if (!allowed) budget.refused(source);
      return allowed;
    });
    if (isAllowed) return { kind: 'allowed', namespace };
    const roles =
      access.resource === 'jobdonewatchers'
        ? 'krake-hooks-job-watchers (it has no more than this) or krake-hooks-job-webhooks'
        : 'krake-hooks-job-webhooks';
    const detail = `Your account may not ${access.verb} ${access.resource}.hooks.krake.dev in this namespace. Bind the ClusterRole ${roles} there.`;
    return refused(403, 'forbidden', detail);
  }

  return async (access) => {
    if (access.authorization === undefined) return anonymous(access);
    try {
      return await authorize(access, access.authorization);
    } catch (error) {
      if (error instanceof QuestionRefused) return limited(error);
      throw error;
    }
  };
}

function whichToMount(audiences: readonly string[]): string {
  return audiences.length === 0
    ? "Mount one with the API server's own audience."
    : `Mount one with the audience ${audiences.join(' or ')}.`;
}

function limited({ isOfSource, retryAfterSeconds }: QuestionRefused): Authorized {
  const headers = { 'Retry-After': String(retryAfterSeconds) };
  return isOfSource
    ? refused(429, 'too-many-refusals', 'Too much of what came from here was refused. Wait.', headers)
    : refused(503, 'busy', 'Callers cannot be checked just now. Send it again.', headers);
}

function refused(...args: Parameters<typeof problem>): Authorized {
  return { kind: 'refused', outcome: problem(...args) };
}
