/** Kubernetes' MicroTime takes exactly six decimals. */
export function microTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '000Z');
}
