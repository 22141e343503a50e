/** The API server gave no answer: connection refused or cut, time limit. The request may or may not have been carried out. */
export class KubeUnreachableError extends Error {
  override readonly name = 'KubeUnreachableError';
}
