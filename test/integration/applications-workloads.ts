import {
  ANNOTATION_AUTH,
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_HOOKS,
  ANNOTATION_STAMPED_FROM,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
  applicationName,
  secretName,
  type WorkloadKind,
} from '../../src/contract/index.ts';

export interface WorkloadOptions {
  readonly hooks?: string | undefined;
  readonly action?: string;
  readonly application?: string;
  /** Further annotations of the workload. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
  readonly finalizers?: readonly string[];
  /** False: a Job or Pod that admission did not see. */
  readonly injected?: boolean;
  /** Hooks written into the pod template instead. */
  readonly template?: boolean;
}

/** A workload of one container, stamped (a Job or Pod: injected) as admission leaves it. Its image is nowhere: nothing runs. */
export function buildWorkload(
  kind: WorkloadKind,
  name: string,
  namespace: string,
  options: WorkloadOptions = {},
): object {
  const application = options.application ?? applicationName(kind, name);
  const template = buildTemplate(kind, name, application, options);
  const isPod = kind === 'Pod';
  const metadata = {
    name,
    namespace,
    labels: isPod
      ? template.metadata.labels
      : options.application === undefined
        ? {}
        : { [LABEL_APPLICATION]: application },
    annotations: options.template === true ? {} : askOf(options),
    finalizers: options.finalizers ?? [],
  };
  const base = { apiVersion: WORKLOAD_KINDS[kind].apiVersion, kind, metadata };
  return { ...base, spec: isPod ? template.spec : specOf(kind, name, template, options.replicas ?? 1) };
}

function askOf({ hooks = 'complete', action, annotations }: WorkloadOptions): Record<string, string> {
  return {
    ...annotations,
    ...(hooks === '' ? {} : { [ANNOTATION_HOOKS]: hooks }),
    ...(action === undefined ? {} : { [ANNOTATION_COMPLETE_ACTION]: action }),
  };
}

function buildTemplate(kind: WorkloadKind, name: string, application: string, options: WorkloadOptions) {
  const { hooks = 'complete', template: byTemplate = false } = options;
  const auth = options.annotations?.[ANNOTATION_AUTH];
  const stamp = {
    [ANNOTATION_HOOKS]: hooks,
    [ANNOTATION_STAMPED_FROM]: byTemplate ? 'template' : 'workload',
    ...(auth === undefined ? {} : { [ANNOTATION_AUTH]: auth }),
  };
  const isStamped = hooks !== '';
  return {
    metadata: {
      labels: { app: name, ...(isStamped ? { [LABEL_APPLICATION]: application } : {}) },
      ...(isStamped ? { annotations: stamp } : {}),
    },
    spec: {
      restartPolicy: ['Job', 'CronJob', 'Pod'].includes(kind) ? 'Never' : 'Always',
      containers: [{ name: 'main', image: 'example.invalid/none' }],
      ...(options.injected === false || (kind !== 'Job' && kind !== 'Pod')
        ? {}
        : { volumes: [{ name: 'krake-hooks', secret: { secretName: secretName(application) } }] }),
    },
  };
}

function specOf(kind: WorkloadKind, name: string, template: object, replicas: number): object {
  const selector = { matchLabels: { app: name } };
  switch (kind) {
    case 'Job':
      return { template };
    case 'CronJob':
      return { schedule: '0 0 1 1 *', jobTemplate: { spec: { template } } };
    case 'DaemonSet':
      return { selector, template };
    case 'StatefulSet':
      return { replicas, selector, serviceName: name, template };
    case 'ReplicationController':
      return { replicas, selector: selector.matchLabels, template };
    default:
      return { replicas, selector, template };
  }
}
