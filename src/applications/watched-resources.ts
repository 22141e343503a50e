import {
  ANNOTATION_HOOKS,
  LABEL_APPLICATION,
  LABEL_ENABLED,
  SYSTEM_NAMESPACES,
  USER_ANNOTATIONS,
  WORKLOAD_KINDS,
} from '../contract/index.ts';
import {
  createReflector,
  type KubeObject,
  type Reflector,
  type ReflectorMetrics,
  type WatchClient,
} from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { APPLICATIONS, APPLICATION_KINDS } from './application.ts';
import { summarizeApplication, type ApplicationSummary } from './application-summary.ts';
import { projectPod, type LabelledPod } from './labelled-pod.ts';
import { projectMember, type Member } from './member.ts';
import type { CronJobFacts } from './reconcile-cron-job.ts';

export interface NamespaceFacts {
  readonly terminating: boolean;
}

type Changed<T> = (before: T | undefined, after: T | undefined) => void;

export interface WatchDeps {
  readonly client: WatchClient;
  readonly logger: Logger;
  readonly reflectorMetrics?: ReflectorMetrics | undefined;
  /** Namespaces that hooks never touch, besides Kubernetes' own. */
  readonly excludedNamespaces: readonly string[];
  readonly onNamespace: (name: string) => void;
  readonly onApplication: (key: string, after: ApplicationSummary | undefined) => void;
  readonly onMember: Changed<Member>;
  readonly onPod: Changed<LabelledPod>;
  readonly onCronJob: Changed<CronJobFacts>;
}

export interface WatchedResources {
  readonly namespaces: Reflector<NamespaceFacts>;
  readonly applications: Reflector<ApplicationSummary>;
  readonly cronJobs: Reflector<CronJobFacts>;
  readonly all: readonly Reflector<object>[];
}

/** The watch caches of the controller. Only Applications are read whole; of everything else the metadata must do. */
export function createWatchedResources(deps: WatchDeps): WatchedResources {
  const { client, logger, reflectorMetrics } = deps;
  const common = { client, logger, ...(reflectorMetrics === undefined ? {} : { metrics: reflectorMetrics }) };
  const excluded = new Set<string>([...SYSTEM_NAMESPACES, ...deps.excludedNamespaces]);

  const namespaces = createReflector<NamespaceFacts>({
    ...common,
    resource: { apiVersion: 'v1', plural: 'namespaces' },
    labelSelector: `${LABEL_ENABLED}=true`,
    metadataOnly: true,
    project: ({ metadata }) =>
      excluded.has(metadata.name ?? '')
        ? undefined
        : { terminating: metadata.deletionTimestamp !== undefined },
    onChange: deps.onNamespace,
  });
  const applications = createReflector<ApplicationSummary>({
    ...common,
    resource: APPLICATIONS,
    project: summarizeApplication,
    onChange: (key, _before, after) => deps.onApplication(key, after),
  });
  const pods = createReflector<LabelledPod>({
    ...common,
    resource: WORKLOAD_KINDS.Pod,
    labelSelector: LABEL_APPLICATION,
    metadataOnly: true,
    project: projectPod,
    onChange: (_key, before, after) => deps.onPod(before, after),
  });
  const workloads = APPLICATION_KINDS.filter((kind) => kind !== 'Pod').map((kind) =>
    createReflector<Member>({
      ...common,
      resource: WORKLOAD_KINDS[kind],
      metadataOnly: true,
      project: (object) => projectMember(kind, object),
      onChange: (_key, before, after) => deps.onMember(before, after),
    }),
  );
  const cronJobs = createReflector<CronJobFacts>({
    ...common,
    resource: WORKLOAD_KINDS.CronJob,
    metadataOnly: true,
    project: projectCronJob,
    onChange: (_key, before, after) => deps.onCronJob(before, after),
  });
  return {
    namespaces,
    applications,
    cronJobs,
    all: [namespaces, applications, pods, ...workloads, cronJobs],
  };
}

function projectCronJob({ metadata }: KubeObject): CronJobFacts | undefined {
  const { name, namespace, uid, annotations, generation } = metadata;
  if (name === undefined || namespace === undefined || uid === undefined) return undefined;
  if (annotations?.[ANNOTATION_HOOKS] === undefined) return undefined;
  const asks = USER_ANNOTATIONS.map((key) => annotations[key] ?? '').join('\n');
  return { namespace, name, uid, asks, generation: generation ?? 0 };
}
