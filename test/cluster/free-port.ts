import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Two that are asked for at the same time, and are not listened on yet, must not be one. */
const handedOut = new Set<number>();

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/**
 * A port that nobody listens on. Ports below 32768 are never handed out for outgoing connections, so between this answer and the
 * listening nobody takes it by accident; two runs that draw at the same time almost never draw the same.
 */
export const findFreePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(20_000, 32_768);
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error('found no free port between 20000 and 32768 on 127.0.0.1');
};
