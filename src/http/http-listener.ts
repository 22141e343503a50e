import { createServer } from 'node:http';
import { createListener, type Listener, type ListenerOptions } from './create-listener.ts';

/** Plain HTTP with the same limits and the same way to stop; for health and metrics. */
export function createHttpListener(options: ListenerOptions): Listener {
  return createListener({ create: (http) => createServer(http), opened: 'connection' }, options);
}
