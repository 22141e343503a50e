import { readAsks } from '../jobs/index.ts';
import type { Subject } from './explain-subject.ts';

const ENDS = [
  ['done', 'when the Job is done'],
  ['failed', 'when it failed'],
  ['complete', 'when it completed'],
] as const;

/** The Webhooks that its annotations name, in one line; none when they name none. A CronJob's own and those of its Job template both count. */
export function describeJobWebhooks({ metadata, spec }: Subject): string[] {
  const asks = [metadata, spec?.jobTemplate?.metadata].flatMap((place) => readAsks(place?.annotations) ?? []);
  const told = ENDS.flatMap(([end, when]) => {
    const names = new Set(asks.flatMap((each) => each[end]));
    return names.size === 0 ? [] : [`${[...names].join(', ')} ${when}`];
  });
  return told.length === 0 ? [] : [`job webhooks: ${told.join('; ')}`];
}
