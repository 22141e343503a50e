import { APPLICATIONS, type Application } from '../applications/index.ts';
import { WORKLOAD_KINDS, applicationName, didYouMean, isWorkloadKind } from '../contract/index.ts';
import { isNotFound, type KubeClient, type WatchClient } from '../kube/index.ts';

export type ApplicationReader = Pick<KubeClient, 'get'> & Pick<WatchClient, 'list'>;

/** kubectl's short names of the kinds. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  deploy: 'Deployment',
  sts: 'StatefulSet',
  ds: 'DaemonSet',
  rs: 'ReplicaSet',
  rc: 'ReplicationController',
  po: 'Pod',
  cj: 'CronJob',
};
const MAX_LISTED = 10;

/**
 * The Application that a person means: by its own name, or by that of one of its workloads as kubectl writes it (`deployment/web`).
 *
 * @throws Error that says which there are, when there is no such Application
 */
export async function findApplication(
  client: ApplicationReader,
  namespace: string,
  written: string,
): Promise<Application> {
  const workload = readWorkload(written);
  const name = workload === undefined ? written : applicationName(workload.kind, workload.name);
  const found = await client.get<Application>({ resource: APPLICATIONS, namespace, name });
  if (found !== undefined) return found;

  const all = await listApplications(client, namespace);
  const ofWorkload = (app: Application) =>
    workloadsOf(app).some((ref) => ref.kind === workload?.kind && ref.name === workload.name);
  const group = workload === undefined ? undefined : all.find(ofWorkload);
  if (group !== undefined) return group;
  throw new Error(`there is no Application "${name}" in namespace ${namespace}; ${hint(name, all)}`);
}

function readWorkload(
  written: string,
): { readonly kind: keyof typeof WORKLOAD_KINDS; readonly name: string } | undefined {
  const slash = written.indexOf('/');
  if (slash < 0) return undefined;
  const word = written.slice(0, slash).toLowerCase();
  const known = Object.entries(WORKLOAD_KINDS).find(
    ([kind, { plural }]) => kind.toLowerCase() === word || plural === word,
  );
  const kind = SHORT_NAMES[word] ?? known?.[0] ?? '';
  if (kind === 'CronJob') {
    throw new Error(
      'a CronJob is no application, each of its Jobs is one: name the Job, for example job/NAME',
    );
  }
  if (!isWorkloadKind(kind)) {
    throw new Error(`"${word}" is no kind of workload; there are ${Object.keys(WORKLOAD_KINDS).join(', ')}`);
  }
  return { kind, name: written.slice(slash + 1) };
}

async function listApplications(
  client: ApplicationReader,
  namespace: string,
): Promise<readonly Application[]> {
  try {
    return (await client.list<Application>(APPLICATIONS, namespace)).items;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new Error('the cluster knows no Applications: krake-hooks is not installed in it', {
      cause: error,
    });
  }
}

function workloadsOf({
  spec,
  status,
}: Application): readonly { readonly kind: string; readonly name: string }[] {
  return [...(status?.workloads ?? []), ...spec.workloads];
}

function hint(name: string, all: readonly Application[]): string {
  if (all.length === 0) return 'there is none at all: is that the namespace, and is the workload annotated?';
  const names = all.map(({ metadata }) => metadata.name).sort();
  const sameWorkload = all.find((app) => workloadsOf(app).some((ref) => ref.name === name));
  const meant = sameWorkload?.metadata.name ?? didYouMean(name, names);
  const listed = names.slice(0, MAX_LISTED).join(', ');
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : '';
  return `${meant === undefined ? '' : `did you mean "${meant}"? `}there are ${listed}${more}`;
}
