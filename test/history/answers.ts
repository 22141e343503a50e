import type { Application } from '../../src/applications/index.ts';
import type { PutEvent, Violation } from './history.ts';
import { conversationsOf, eventsOf, type World } from './world.ts';

const RULE = 'answered-not-stored';

/** Each 200 speaks of something that is stored, and each goodbye that is stored was said. */
export function checkAnswers(world: World): Violation[] {
  const puts = eventsOf(world.history, 'put');
  return [
    ...puts.flatMap((put) => (put.status === 200 ? checkStored(world, put) : [])),
    ...checkSaid(
      world,
      puts.filter(({ isComplete }) => isComplete !== true),
    ),
  ];
}

function checkStored({ applications }: World, put: PutEvent): Violation[] {
  const { namespace, application, answer } = put;
  const versions = applications
    .filter((life) => life.namespace === namespace && life.name === application)
    .flatMap((life) => life.versions);
  const isStored =
    answer !== undefined && versions.some(({ object }) => timesOf(object, put).includes(answer.receivedAt));
  if (isStored) return [];
  const text = `${application}: 200 for a goodbye (${JSON.stringify(answer)}) that never stood in the status`;
  return [{ rule: RULE, text }];
}

function timesOf(app: Application, { isComplete, answer }: PutEvent): readonly (string | undefined)[] {
  const { complete, shutdown, shutdownFrom = {} } = app.status?.signals ?? {};
  if (isComplete === true) return [complete?.receivedAt];
  const voluntary = [shutdown, ...Object.values(shutdownFrom)].map((signal) => signal?.receivedAt);
  if (answer?.conversation === undefined) return voluntary;
  const conversation = conversationsOf(app).find(({ id }) => id === answer.conversation);
  const pod = conversation?.pods.find(({ name }) => name === answer.pod);
  return [conversation?.confirmation?.receivedAt, pod?.confirmation?.receivedAt, conversation?.endedAt];
}

/** Only where the history has all PUTs of the application, which is where it has any. */
function checkSaid({ applications }: World, puts: readonly PutEvent[]): Violation[] {
  return applications.flatMap(({ namespace, name, versions }) => {
    const said = puts.filter((put) => put.namespace === namespace && put.application === name);
    if (said.length === 0) return [];
    const unsaid = new Map<string, string>();
    for (const { object, atMs } of versions) {
      for (const { id, form, pods, confirmation } of conversationsOf(object)) {
        if (form === 'service' && confirmation !== undefined && !said.some((put) => put.sentAtMs <= atMs))
          unsaid.set(id, `${id} has a goodbye, and nobody had said one`);
        for (const pod of pods) {
          const isSaid = said.some((put) => put.sentAtMs <= atMs && (put.pod ?? pod.uid) === pod.uid);
          if (pod.confirmation !== undefined && !isSaid)
            unsaid.set(`${id}/${pod.uid}`, `${id} has a goodbye of pod ${pod.name}, which had not said one`);
        }
      }
    }
    return [...unsaid.values()].map((text) => ({ rule: 'goodbye-not-said', text: `${name}: ${text}` }));
  });
}
