import type { JointPatch, KubeObject, RequestOptions } from './kube-client.ts';
import { buildPatch } from './patch-request.ts';
import type { RestClient } from './rest-client.ts';

/** See FullKubeClient. The bodies are held back until the server has asked for each of them: by then all are authorised. */
export async function patchTogether(
  rest: Pick<RestClient, 'send'>,
  patches: readonly JointPatch[],
  options: RequestOptions,
): Promise<PromiseSettledResult<KubeObject>[]> {
  const line = createStartingLine(patches.length);
  return await Promise.allSettled(
    patches.map(async ({ ref, patch }, place) => {
      const beforeBody = (): Promise<void> => {
        line.arrive(place);
        return line.open;
      };
      try {
        return (await rest.send({ ...buildPatch(ref, patch, options), beforeBody })) as KubeObject;
      } catch (error) {
        line.giveUp(place);
        throw error;
      }
    }),
  );
}

interface StartingLine {
  /** Resolves when all have arrived, rejects when one of them never will. */
  readonly open: Promise<void>;
  arrive(place: number): void;
  /** Of one that has arrived it means nothing. */
  giveUp(place: number): void;
}

function createStartingLine(places: number): StartingLine {
  let start: () => void = () => undefined;
  let callOff: (reason: Error) => void = () => undefined;
  const open = new Promise<void>((resolve, reject) => {
    start = resolve;
    callOff = reject;
  });
  // Whoever waits hears of it; that nobody waits is no error.
  open.catch(() => undefined);
  const arrived = new Set<number>();
  return {
    open,
    arrive(place) {
      arrived.add(place);
      if (arrived.size === places) start();
    },
    giveUp(place) {
      if (arrived.has(place)) return;
      callOff(new Error('another one of these patches was refused, so none is made'));
    },
  };
}
