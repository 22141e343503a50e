import type { KnownApplication } from './application-lookup.ts';

/** What a proof stands on. It holds for a state of the Application, and the patch that stores the signal tests that it still does. */
export type Grounds =
  | {
      readonly by: 'token';
      readonly tokenSha256: string;
      /** The certificate that was shown with it. */
      readonly certificateSha256?: string;
    }
  | {
      readonly by: 'pod-identity';
      /** The workload of the application that the pod belongs to. */
      readonly workloadUid: string;
    };

export interface TestOperation {
  readonly op: 'test';
  readonly path: string;
  readonly value: unknown;
}

type State = Pick<
  KnownApplication,
  'auth' | 'tokenSha256' | 'formerTokens' | 'certificates' | 'workloadUids'
>;

/** Equal for proofs of which one holds exactly when the other does. */
export function groundsKey(grounds: Grounds): string {
  return grounds.by === 'token'
    ? `token/${grounds.tokenSha256}/${grounds.certificateSha256 ?? ''}`
    : `pod-identity/${grounds.workloadUid}`;
}

/** The tests that hold in the Application as long as the grounds do; undefined: in this state they do not hold. Pure. */
export function groundsTests(
  grounds: Grounds,
  state: State,
  nowMs: number,
): readonly TestOperation[] | undefined {
  if (grounds.by !== state.auth) return undefined;
  if (grounds.by === 'pod-identity') {
    const index = state.workloadUids.indexOf(grounds.workloadUid);
    return index < 0
      ? undefined
      : [test('/spec/auth', state.auth), test(`/status/workloads/${index}/uid`, grounds.workloadUid)];
  }
  const token = tokenTests(grounds.tokenSha256, state, nowMs);
  const certificate =
    grounds.certificateSha256 === undefined ? [] : certificateTests(grounds.certificateSha256, state, nowMs);
  return token === undefined || certificate === undefined ? undefined : [...token, ...certificate];
}

function tokenTests(sha256: string, state: State, nowMs: number): readonly TestOperation[] | undefined {
  if (state.tokenSha256 === sha256) return [test('/status/tokenSha256', sha256)];
  const index = state.formerTokens.findIndex((token) => token.sha256 === sha256);
  const former = state.formerTokens[index];
  // Without a current token none is valid: the hooks are off, or the token was voided with all before it.
  if (state.tokenSha256 === undefined || former === undefined || !isBefore(nowMs, former.validUntil))
    return undefined;
  return [
    test('/status/tokenSha256', state.tokenSha256),
    test(`/status/formerTokens/${index}/sha256`, sha256),
    test(`/status/formerTokens/${index}/validUntil`, former.validUntil),
  ];
}

function certificateTests(sha256: string, state: State, nowMs: number): readonly TestOperation[] | undefined {
  const index = state.certificates.findIndex((certificate) => certificate.sha256 === sha256);
  const listed = state.certificates[index];
  if (listed === undefined || !isBefore(nowMs, listed.notAfter)) return undefined;
  return [test(`/status/certificates/${index}/sha256`, sha256)];
}

/** False of a time that cannot be read. */
export function isBefore(nowMs: number, time: string): boolean {
  return nowMs < Date.parse(time);
}

function test(path: string, value: unknown): TestOperation {
  return { op: 'test', path, value };
}
