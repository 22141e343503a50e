import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy on loopback whose connections can be broken in the ways that networks break them. */
export interface CuttableProxy {
  readonly url: string;
  /** Resets all connections; new ones are accepted. Returns how many there were. */
  cut(): number;
  /** Nothing passes any more, in either direction, and nobody is told: new connections stay silent too. */
  freeze(): void;
  /** Connections are reset as soon as they are made. */
  refuse(): void;
  /** Passes new connections on again; frozen ones stay dead. */
  open(): void;
  stop(): Promise<void>;
}

export async function startCuttableProxy(target: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let state: 'open' | 'frozen' | 'refusing' = 'open';

  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined); // being cut is what these are for
    return socket;
  };
  const cut = (): number => {
    const count = sockets.size;
    for (const socket of sockets) socket.resetAndDestroy();
    return count;
  };

  const server = createServer((client) => {
    keep(client);
    if (state === 'refusing') client.resetAndDestroy();
    if (state !== 'open') return;
    const upstream = keep(connect(Number(port), hostname));
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));

  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    freeze: () => {
      state = 'frozen';
      for (const socket of sockets) socket.unpipe().pause();
    },
    refuse: () => {
      state = 'refusing';
      cut();
    },
    open: () => {
      state = 'open';
    },
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
