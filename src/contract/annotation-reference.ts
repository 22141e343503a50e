import {
  ANNOTATION_AUTH,
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_COMPLETE_WHEN,
  ANNOTATION_CONTAINERS,
  ANNOTATION_HOOKS,
  ANNOTATION_REQUEST,
  ANNOTATION_SHUTDOWN_FAILURE,
  ANNOTATION_SHUTDOWN_ON,
  ANNOTATION_SHUTDOWN_RETRIES,
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  ANNOTATION_SHUTDOWN_WHEN,
  AUTHS,
  COMPLETE_ACTIONS,
  HOOKS,
  MAX_SHUTDOWN_RETRIES,
  MAX_SHUTDOWN_TIMEOUT_MS,
  REQUESTS,
  SHUTDOWN_CAUSES,
  SHUTDOWN_FAILURES,
} from './labels.ts';
import { MAX_REQUEST_LENGTH } from './person-request.ts';
import { DEFAULT_SHUTDOWN } from './shutdown-annotations.ts';

/** One annotation as docs/annotations.md tells of it. */
export interface AnnotationEntry {
  readonly key: string;
  /** Which hook it belongs to. */
  readonly hook: 'any' | 'complete' | 'shutdown';
  readonly values: string;
  /** Undefined: there is none. */
  readonly byDefault: string | undefined;
  readonly meaning: string;
  /** Each of them is read without a warning. */
  readonly examples: readonly string[];
  /** What is made of a value that cannot be read; whoever applies it is warned. */
  readonly misspelt: string;
}

/** Every annotation that a person writes; the tests compare it with what the parsers do. */
export const ANNOTATION_REFERENCE: readonly AnnotationEntry[] = [
  {
    key: ANNOTATION_HOOKS,
    hook: 'any',
    values: `comma list of ${words(HOOKS)}`,
    byDefault: undefined,
    meaning: 'The hooks that the application has. Without it the workload is none of ours.',
    examples: ['complete', 'complete,shutdown'],
    misspelt: 'the unknown hook is left out',
  },
  {
    key: ANNOTATION_CONTAINERS,
    hook: 'any',
    values: 'comma list of names of containers, init containers included',
    byDefault: 'all regular containers',
    meaning: 'The containers that get token, URLs and TLS files.',
    examples: ['app', 'app,saver'],
    misspelt: 'a container that is not there is left out',
  },
  {
    key: ANNOTATION_AUTH,
    hook: 'any',
    values: words(AUTHS),
    byDefault: 'token',
    meaning:
      'What the application proves itself with: the token of its Secret and its client certificate, or the service account token of its pod (`KRAKE_TOKEN_FILE`), with which nothing secret is stored.',
    examples: AUTHS,
    misspelt: '`pod-identity`: nothing secret is stored by a slip',
  },
  {
    key: ANNOTATION_COMPLETE_ACTION,
    hook: 'complete',
    values: words(COMPLETE_ACTIONS),
    byDefault: 'delete',
    meaning: 'What is done to the workload when the application says that it is complete.',
    examples: COMPLETE_ACTIONS,
    misspelt: '`none`: nothing is deleted by a slip',
  },
  {
    key: ANNOTATION_COMPLETE_WHEN,
    hook: 'complete',
    values: '`any`, `all` or a number from 1',
    byDefault: 'any',
    meaning:
      'How many pods have to say that they are complete. More than `any` needs `auth: pod-identity`: a token tells no pod from another, so without it `any` holds.',
    examples: ['any', 'all', '3'],
    misspelt: '`all`: nothing is deleted by a slip',
  },
  {
    key: ANNOTATION_SHUTDOWN_SERVICE,
    hook: 'shutdown',
    values:
      '`[http://\\|https://]NAME[:PORT][/PATH]`, a Service of the same namespace, its port by number or name; or `[http://\\|https://]pod:PORT[/PATH]`, each pod itself',
    byDefault: DEFAULT_SHUTDOWN.service,
    meaning:
      'Where the application is asked to shut down, with `PUT`. Without a port the first one of the Service, without a path `/shutdown`.',
    examples: ['shutdown', 'saver:8080/save', 'https://saver', 'pod:8080', 'pod:admin/quit'],
    misspelt: 'the default',
  },
  {
    key: ANNOTATION_SHUTDOWN_TIMEOUT,
    hook: 'shutdown',
    values: `duration from 1s to ${MAX_SHUTDOWN_TIMEOUT_MS / 3_600_000}h, in Go's form or ISO 8601; parts of a second are rounded up`,
    byDefault: `${DEFAULT_SHUTDOWN.timeoutSeconds}s`,
    meaning: 'How long the goodbye is awaited, in each round. It comes before the pod’s own grace period.',
    examples: ['90s', '5m', 'PT5M'],
    misspelt: 'the default',
  },
  {
    key: ANNOTATION_SHUTDOWN_RETRIES,
    hook: 'shutdown',
    values: `number from 0 to ${MAX_SHUTDOWN_RETRIES}`,
    byDefault: String(DEFAULT_SHUTDOWN.retries),
    meaning: 'How many further rounds, each with a deadline of its own, follow one that has passed.',
    examples: ['0', '3'],
    misspelt: 'the default',
  },
  {
    key: ANNOTATION_SHUTDOWN_FAILURE,
    hook: 'shutdown',
    values: words(SHUTDOWN_FAILURES),
    byDefault: DEFAULT_SHUTDOWN.failure,
    meaning:
      'What follows the last deadline: go on as if the goodbye had come, or hold until a person decides (phase Degraded).',
    examples: SHUTDOWN_FAILURES,
    misspelt: '`give-up`: nothing is deleted by a slip',
  },
  {
    key: ANNOTATION_SHUTDOWN_ON,
    hook: 'shutdown',
    values: `comma list of ${words(SHUTDOWN_CAUSES)}`,
    byDefault: DEFAULT_SHUTDOWN.causes.join(','),
    meaning:
      'Before what it is asked: somebody deletes it; a node is drained or a pod is preempted; its owner needs the pod no more (fewer replicas, a new revision).',
    examples: ['deletion', 'deletion,eviction,scale-down'],
    misspelt: 'an unknown cause is left out; with none left, the default',
  },
  {
    key: ANNOTATION_SHUTDOWN_WHEN,
    hook: 'shutdown',
    values: '`all`, `any` or a number from 1',
    byDefault: DEFAULT_SHUTDOWN.when,
    meaning: 'With `pod:PORT`: how many of the asked pods have to say goodbye before all of them may go.',
    examples: ['all', 'any', '2'],
    misspelt: 'the default',
  },
];

/** The annotation that a person writes on an Application, and not on a workload. */
export const REQUEST_REFERENCE = {
  key: ANNOTATION_REQUEST,
  values: `${words(REQUESTS)}, \`migrate:KEY=VALUE[,KEY=VALUE]\` (labels of the nodes to move to), \`rotate:DURATION\` (how long the former token and certificate are still taken, at most 720h); at most ${MAX_REQUEST_LENGTH} characters`,
} as const;

function words(list: readonly string[]): string {
  return list.map((word) => `\`${word}\``).join(', ');
}
