import type { Problem } from '../http/index.ts';
import type { GoodbyeRefusal } from './decide-goodbye.ts';
import type { SignalOutcome, SignalRequest, UnprovenReason } from './signal-outcome.ts';

/** Why a request was answered as it was: the same word in the log and in the metric, and, but for the unproven, in the answer. */
export type AnswerReason =
  | SignalOutcome['reason']
  | UnprovenReason
  | 'too-many-failures'
  | 'no-such-path'
  | 'method-not-allowed'
  | 'content-encoding'
  | 'body-too-large'
  | 'body-timeout'
  | 'not-json'
  | 'wrong-field'
  | 'malformed-request'
  | 'internal-error';

/** What is sent. `reason` and `uid` are for the log and the metric. */
export type Answer = { readonly reason: AnswerReason; readonly uid?: string; readonly error?: string } & (
  | { readonly kind: 'success'; readonly body: string }
  | {
      readonly kind: 'problem';
      readonly problem: Problem;
      /** The request's body is not read to its end. */
      readonly unread?: boolean;
    }
);

const retryAfter = (seconds: number) => ({ 'Retry-After': String(seconds) });

/** One constant for everything that proves nothing: the answer must not tell which applications exist. */
const NOT_PROVEN: Problem = {
  status: 401,
  detail:
    'The token is not valid for this application. Send {"token": "…"} with the token that the container got, to the URL that it got.',
  reason: 'not-proven',
  headers: { 'WWW-Authenticate': 'Token realm="krake-hooks"' },
};

const REFUSALS: Readonly<Record<GoodbyeRefusal, string>> = {
  'pod-unknown':
    'Several pods of this application are being asked, and it cannot be told whose goodbye this is. Send {"token": "…", "pod": "…"} with the name or the UID of the pod that is being asked.',
  'conversation-over':
    'The conversation that "conversation" names is over without this goodbye, or there is none. Leave the field out to say goodbye all the same.',
  'shutdown-cancelled':
    'The shutdown was cancelled: the application goes on living. The goodbye was not stored.',
  'too-many-goodbyes':
    'There is no room for more goodbyes that nobody has asked for. Send it when the pod is asked.',
};

const UNAVAILABLE = 'The signal was not stored. Send it again after the time in Retry-After.';

/** The answer to a request that could be read. The body of a success depends on the stored signal alone: it is the same each time. */
export function answerTo(request: SignalRequest, outcome: SignalOutcome): Answer {
  const { namespace, name, hook } = request;
  switch (outcome.kind) {
    case 'accepted': {
      const { receivedAt, conversation, pod } = outcome;
      // What is undefined is left out.
      const body = JSON.stringify({ namespace, application: name, hook, receivedAt, conversation, pod });
      return { kind: 'success', reason: outcome.reason, uid: outcome.uid, body };
    }
    case 'unproven':
      return {
        kind: 'problem',
        reason: outcome.reason,
        ...(outcome.uid === undefined ? {} : { uid: outcome.uid }),
        problem: NOT_PROVEN,
      };
    case 'conflict': {
      const enabled = outcome.enabled.length === 0 ? 'none' : outcome.enabled.join(', ');
      const detail = `The hook ${hook} is not enabled for this application (enabled: ${enabled}). Add it to the annotation hooks.krake.dev/hooks of the workload.`;
      return problem(outcome.reason, { status: 409, detail }, outcome.uid);
    }
    case 'refused':
      return problem(outcome.reason, { status: 409, detail: REFUSALS[outcome.reason] }, outcome.uid);
    case 'limited': {
      const detail = 'Too many requests for this application. Send it again after the time in Retry-After.';
      const headers = retryAfter(outcome.retryAfterSeconds);
      return problem(outcome.reason, { status: 429, detail, headers }, outcome.uid);
    }
    case 'unavailable': {
      const headers = retryAfter(outcome.retryAfterSeconds);
      const answer = problem(outcome.reason, { status: 503, detail: UNAVAILABLE, headers }, outcome.uid);
      return outcome.error === undefined ? answer : { ...answer, error: outcome.error };
    }
  }
}

export function tooManyFailures(retryAfterSeconds: number): Answer {
  const detail = 'Too many requests without a valid token from this address.';
  return problem('too-many-failures', { status: 429, detail, headers: retryAfter(retryAfterSeconds) });
}

export const NO_SUCH_PATH = problem('no-such-path', {
  status: 404,
  detail:
    'There is nothing at this path. Signals go to /kubernetes/namespaces/NAMESPACE/applications/NAME/complete or …/shutdown.',
});

export const METHOD_NOT_ALLOWED = unread(
  problem('method-not-allowed', {
    status: 405,
    detail: 'Signals are sent with PUT.',
    headers: { Allow: 'PUT' },
  }),
);

export const CONTENT_ENCODING = unread(
  problem('content-encoding', { status: 415, detail: 'Send the body without a Content-Encoding.' }),
);

export const BODY_TIMEOUT = unread(
  problem('body-timeout', { status: 408, detail: 'The body did not come in time.' }),
);

export const MALFORMED_REQUEST = problem('malformed-request', {
  status: 400,
  detail: 'The path of the request is malformed.',
});

export const INTERNAL_ERROR = problem('internal-error', {
  status: 500,
  detail: 'The request could not be handled.',
});

export function bodyTooLarge(limitBytes: number): Answer {
  const detail = `The body is larger than ${limitBytes} bytes. Send {"token": "…"}.`;
  return unread(problem('body-too-large', { status: 413, detail }));
}

export function notJson(why: string): Answer {
  return problem('not-json', { status: 400, detail: `${why} Send {"token": "…"}.` });
}

export function wrongField(name: string): Answer {
  return problem('wrong-field', {
    status: 400,
    detail: `"${name}" is no text, or empty. Send a text, or leave it out.`,
  });
}

function problem(reason: AnswerReason, content: Problem, uid?: string): Answer & { kind: 'problem' } {
  return { kind: 'problem', reason, problem: { ...content, reason }, ...(uid === undefined ? {} : { uid }) };
}

function unread(answer: Answer & { kind: 'problem' }): Answer {
  return { ...answer, unread: true };
}
