import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, type JobsReplica, type JobsSetting } from '../test/integration/jobs-setting.ts';
import type { Receiver } from '../test/integration/jobs-receiver.ts';
import { countRequests, since } from './api-requests.ts';
import { cpuSecondsOf } from './cpu-seconds.ts';
import { inParallel } from './many-deployments.ts';
import { printTable, type Verdict } from './report.ts';

/** Marks follow deliveries after this at the latest, when nothing else is to be done. */
const MARKED_MS = 5_000;
/** The benchmark's own: it creates the Jobs and brings them to their end. */
const OURS = /^(CREATE|POST|PATCH|APPLY) jobs(\/status)?$|namespaces|^LIST /;

/** Jobs of earlier measurements are marked when there is time. */
async function untilMarked({ controlPlane }: JobsSetting): Promise<void> {
  const marks = async () => (await countRequests(controlPlane)).get('PATCH jobs') ?? 0;
  for (let before = -1, now = await marks(); now !== before;) {
    await sleep(MARKED_MS);
    [before, now] = [now, await marks()];
  }
}

/** What one Job's end costs: requests to the API server and processor time. Neither depends on how busy the machine is. */
export async function jobCosts(
  setting: JobsSetting,
  receiver: Receiver,
  replica: JobsReplica,
  count: number,
): Promise<Verdict[]> {
  const nameOf = (n: number) => `cost-${n}`;
  const annotations = { 'hooks.krake.dev/on-job-done': 'ours' };
  await inParallel(count, 16, async (n) => {
    await setting.createJob(nameOf(n), { annotations });
  });
  await untilMarked(setting);
  const [requestsBefore, cpuBefore] = [await countRequests(setting.controlPlane), cpuSecondsOf(replica.pid)];
  const receivedBefore = receiver.received.length;
  await inParallel(count, 16, (n) => setting.finishJob(nameOf(n)));
  await eventually('all of them', () => receiver.received.length - receivedBefore >= count, 120_000);
  await sleep(MARKED_MS);
  const cpuMs = ((cpuSecondsOf(replica.pid) - cpuBefore) * 1_000) / count;
  const requests = since(requestsBefore, await countRequests(setting.controlPlane));
  const each = [...requests].filter(([key]) => !OURS.test(key)).map(([key, n]) => [key, n / count] as const);
  // The mark is a PATCH of the Job itself, as nothing of the benchmark's is.
  const marks = (requests.get('PATCH jobs') ?? 0) / count;
  printTable(
    'Job webhooks: what one Job costs',
    ['', 'each'],
    [...each, ['PATCH jobs (mark)', marks] as const, ['processor time of the leader, ms', cpuMs] as const],
  );
  const total = each.reduce((sum, [, n]) => sum + n, 0) + marks;
  return [{ what: 'requests for one Job', measured: total, target: 3.2, better: 'lower', unit: '' }];
}
