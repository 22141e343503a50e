/** A member of something that may be anything; inherited ones do not count. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

export function textField(value: unknown, name: string): string | undefined {
  const text = field(value, name);
  return typeof text === 'string' ? text : undefined;
}

/** When each of several signals was stored, by whom they are of. */
export function timesOf(value: unknown): ReadonlyMap<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return new Map(Object.keys(value).map((of) => [of, textField(field(value, of), 'receivedAt') ?? '']));
}
