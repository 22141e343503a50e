import { type JobDoneWatcher } from '../../jobs/index.ts';
import { formatAge, formatTable, type Row } from './table.ts';

export const WATCHER_HEADER: Row = ['NAME', 'JOB', 'STATUS', 'CALLED', 'FINISHED', 'AGE'];

export function watcherRow({ metadata, spec, status }: JobDoneWatcher, now: number): Row {
  const called = status?.webhooks?.filter((webhook) => webhook.status === 'CALLED').length ?? 0;
  return [
    metadata.name,
    spec.jobName,
    status?.phase ?? 'PENDING',
    `${called}/${spec.webhooks.length}`,
    formatAge(status?.finishedAt, now),
    formatAge(metadata.creationTimestamp, now),
  ];
}

export function describeWatcher(watcher: JobDoneWatcher): readonly string[] {
  const { metadata, spec, status } = watcher;
  const uid = status?.jobUid ?? spec.jobUid;
  const lines = [
    ['name', metadata.name],
    ['namespace', metadata.namespace],
    ['job', `${spec.jobName}${uid === undefined ? ' (not seen yet)' : ` (UID ${uid})`}`],
    ['status', status?.phase ?? 'PENDING'],
    ['time limit', limitOf(spec.timeoutSeconds)],
    ['created', metadata.creationTimestamp],
    ...(status?.finishedAt === undefined ? [] : [['finished', status.finishedAt]]),
  ];
  const described = lines.map(([name, value]) => `${`${name ?? ''}:`.padEnd(12)}${value ?? ''}`);
  if (spec.webhooks.length === 0) return [...described, 'webhooks:   none'];
  const states = new Map(status?.webhooks?.map((state) => [state.id, state]));
  const rows = spec.webhooks.map(({ id, webhook, timeoutSeconds }): Row => {
    const state = states.get(id);
    return [
      webhook,
      state?.status ?? 'NOT_CALLED',
      limitOf(timeoutSeconds),
      state?.calledAt ?? '',
      state?.delivery ?? '',
      state?.reason ?? '',
    ];
  });
  return [
    ...described,
    '',
    ...formatTable(['WEBHOOK', 'STATUS', 'TIME LIMIT', 'CALLED', 'DELIVERY', 'WHY'], rows),
  ];
}

function limitOf(seconds: number): string {
  return seconds === 0 ? 'none' : `${seconds} s`;
}
