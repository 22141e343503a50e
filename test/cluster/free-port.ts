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
export const findFreePort = (): Promise<number> => draw(20_000, 32_768);

/** For who is ended and begun again on the same port: meanwhile nobody gets it who draws with {@link findFreePort}. */
export const findLastingPort = (): Promise<number> => draw(12_000, 20_000);

/** Two test files that run beside each other draw from different halves. */
const shareOf = (from: number, to: number): [number, number] => {
  const worker = process.env['JEST_WORKER_ID'];
  const middle = (from + to) / 2;
  if (worker === undefined) return [from, to];
  return Number(worker) % 2 === 0 ? [from, middle] : [middle, to];
};

const draw = async (from: number, to: number): Promise<number> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(...shareOf(from, to));
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`found no free port between ${from} and ${to} on 127.0.0.1`);
};
