export const DEPLOYMENTS = { apiVersion: 'apps/v1', plural: 'deployments' };

/** A Deployment as it is after admission: annotated, its template stamped. */
export function annotatedDeployment(name: string): object {
  const hooks = { 'hooks.krake.dev/hooks': 'complete' };
  const template = {
    metadata: {
      labels: { app: name, 'hooks.krake.dev/application': `deployment-${name}` },
      annotations: { ...hooks, 'hooks.krake.dev/stamped-from': 'workload' },
    },
    spec: { containers: [{ name: 'app', image: 'example.invalid/app:1' }] },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, annotations: hooks },
    spec: { replicas: 0, selector: { matchLabels: { app: name } }, template },
  };
}

/** Calls `run` with 0 … count-1, so many at once. */
export async function inParallel(
  count: number,
  atOnce: number,
  run: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
