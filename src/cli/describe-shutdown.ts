import {
  ANNOTATION_HOOKS,
  parseHookAnnotations,
  parseShutdownService,
  withOwnSettings,
  type ShutdownChoice,
} from '../contract/index.ts';
import type { Subject } from './explain-subject.ts';

/** How a workload is going to be asked to shut down, in one line; none when it has no shutdown hook. */
export function describeShutdown({ metadata, spec }: Subject): string[] {
  const own = metadata.annotations;
  const template = spec?.template ?? spec?.jobTemplate?.spec.template;
  const asking = [own, spec?.jobTemplate?.metadata?.annotations, template?.metadata?.annotations].find(
    (annotations) => annotations?.[ANNOTATION_HOOKS] !== undefined,
  );
  if (asking === undefined) return [];
  const { hooks, shutdown } = parseHookAnnotations(asking === own ? own : withOwnSettings(asking, own));
  return hooks.includes('shutdown') ? [`shutdown: ${describe(shutdown)}`] : [];
}

function describe({ service, timeoutSeconds, retries, failure, causes, when }: ShutdownChoice): string {
  const rounds = retries === 0 ? '' : ` in each of ${retries + 1} rounds`;
  const end = failure === 'delete' ? 'it goes without' : 'it is held until a person decides';
  return `before ${causes.join(', ')} it is asked by PUT ${where(service, when)}; its goodbye is awaited for ${timeoutSeconds} s${rounds}, then ${end}`;
}

function where(text: string, when: string): string {
  const service = parseShutdownService(text);
  if (service === undefined) return text;
  const { scheme, form, port, path } = service;
  const place = `${port === undefined ? 'first port' : `port ${port}`}, ${scheme}, ${path}`;
  if (form === 'pod') return `at each pod (${place}), of which ${when} must say goodbye`;
  return `at the Service ${service.service ?? ''} (${place})`;
}
