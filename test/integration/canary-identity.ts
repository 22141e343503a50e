import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../e2e/eventually.ts';

const AUDIENCE = 'hooks.krake.dev';

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
}

/** A new token of a pod of the application, bound to it, as the kubelet would project it; each call another one. */
export async function boundToken(
  controlPlane: ControlPlane,
  namespace: string,
  application: string,
): Promise<string> {
  const { metadata } = await eventually(`a pod of ${application}`, async () => {
    const label = `hooks.krake.dev/application=${application}`;
    const { stdout } = await controlPlane.kubectl([
      '-n',
      namespace,
      'get',
      'pods',
      '-l',
      label,
      '-o',
      'json',
    ]);
    return (JSON.parse(stdout) as { items: Pod[] }).items[0];
  });
  const bound = [
    '--bound-object-kind=Pod',
    `--bound-object-name=${metadata.name}`,
    `--bound-object-uid=${metadata.uid}`,
  ];
  const { stdout } = await controlPlane.kubectl([
    ...['-n', namespace, 'create', 'token', 'default', `--audience=${AUDIENCE}`, ...bound],
  ]);
  return stdout.trim();
}

/** From now on the API server refuses to review tokens for the callbacks. */
export async function forbidTokenReviews(controlPlane: ControlPlane): Promise<void> {
  const role = ['clusterrole', 'krake-hooks-callbacks'];
  const { stdout } = await controlPlane.kubectl(['get', ...role, '-o', 'json']);
  const { rules } = JSON.parse(stdout) as { rules: { resources?: string[] }[] };
  const index = rules.findIndex(({ resources }) => resources?.includes('tokenreviews'));
  const patch = [{ op: 'remove', path: `/rules/${index}` }];
  await controlPlane.kubectl(['patch', ...role, '--type=json', '-p', JSON.stringify(patch)]);
}
