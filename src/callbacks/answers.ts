import type { Problem } from '../http/index.ts';
import type { SignalOutcome, SignalRefusal, SignalRequest } from './signal-outcome.ts';

/** Why a request was answered as it was: the same word in the log and in the metric, and, but for the unproven, in the answer. */
export type AnswerReason =
  | SignalOutcome['reason']
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
    'Nothing proves that this is the application. Send {"token": "…"} with the token that the container got, over TLS with its client certificate (cert.pem and key.pem beside the CA bundle), to the URL that it got; with hooks.krake.dev/auth: pod-identity send the token of the file KRAKE_TOKEN_FILE as "Authorization: Bearer".',
  reason: 'not-proven',
  headers: { 'WWW-Authenticate': 'Token realm="krake-hooks"' },
};

type Forbidden = Extract<SignalOutcome, { kind: 'forbidden' }>['reason'];

/** To who is somebody, but not the one who may signal here. */
const FORBIDDEN: Readonly<Record<Forbidden, string>> = {
  'certificate-of-another':
    'The client certificate is that of another application, or of one that had this name before. Use cert.pem and key.pem of this application.',
  'pod-of-another-application':
    'The pod is proven, but it is not part of this application: its label or its owners say otherwise. Use the URL that the container got.',
  'pod-of-another-name':
    '"pod" names another pod than the one whose token this is. A pod with an identity says goodbye for itself: leave the field out.',
};

const REFUSALS: Readonly<Record<SignalRefusal, string>> = {
  'pod-unknown':
    'Several pods of this application are being asked, and it cannot be told whose goodbye this is. Send {"token": "…", "pod": "…"} with the name or the UID of the pod that is being asked.',
  'conversation-over':
    'The conversation that "conversation" names is over without this goodbye, or there is none. Leave the field out to say goodbye all the same.',
  'shutdown-cancelled':
    'The shutdown was cancelled: the application goes on living. The goodbye was not stored.',
  'goodbye-too-late':
    'The shutdown that it answers is over: its deadline had passed, or a person had let the pods go. The goodbye was not stored, and no other pod goes without being asked.',
  'too-many-goodbyes':
    'There is no room for more goodbyes that nobody has asked for. Send it when the pod is asked.',
  'complete-when-needs-pod-identity':
    'completeWhen counts pods, and a token does not say which pod it is. Set hooks.krake.dev/auth: pod-identity, or complete-when: any.',
  'too-many-pods': 'So many pods have signalled already that no more are counted.',
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
    case 'forbidden':
      return problem(outcome.reason, { status: 403, detail: FORBIDDEN[outcome.reason] }, outcome.uid);
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
  const detail = 'Too many requests from this address that prove nothing.';
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
