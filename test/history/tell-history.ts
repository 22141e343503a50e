import type { History } from './history.ts';

/** One line for each event, for whoever has to find out what went wrong. */
export function tellHistory(history: History): string {
  const startMs = history[0]?.atMs ?? 0;
  return history
    .map((event) => {
      const seconds = ((event.atMs - startMs) / 1_000).toFixed(3);
      if (event.kind !== 'object') return `${seconds} ${JSON.stringify(event)}`;
      const { kind = '', metadata, status } = event.object;
      const shutdown =
        kind === 'Application' ? JSON.stringify((status as { shutdown?: object } | undefined)?.shutdown) : '';
      return `${seconds} ${event.type} ${kind} ${metadata.name} @${metadata.resourceVersion} ${metadata.deletionTimestamp ?? ''} ${(metadata.finalizers ?? []).join()} ${shutdown}`;
    })
    .join('\n');
}
