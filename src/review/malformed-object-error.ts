/** The API server sent something that is no Kubernetes object of the kind it says. The message names the field, never its value. */
export class MalformedObjectError extends Error {
  override readonly name = 'MalformedObjectError';

  constructor(field: string, expected: string) {
    super(`${field} must be ${expected}`);
  }
}
