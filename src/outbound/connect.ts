import { connect as connectTcp, isIP, isIPv6, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { CallError } from './call-error.ts';
import type { CallTarget } from './call-target.ts';
import type { CheckedAddresses } from './checked-addresses.ts';
import { connectFailure, tlsFailure } from './failure-of.ts';

/** Of silence; libuv then asks ten times, a second apart. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Opens a connection to one of the checked addresses, one after the other where they do not answer. When the signal is aborted the
 * connection is destroyed and the promise rejects with the signal's reason.
 *
 * @param trust undefined: what the process trusts by default
 * @throws CallError
 */
export async function openConnection(
  target: CallTarget,
  checked: CheckedAddresses,
  trust: SecureContext | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = await ready(signal, 'connect', openTcp(target, checked), (error) =>
    connectFailure(error, target),
  );
  if (!checked.isAllowed(socket.remoteAddress ?? '')) {
    socket.destroy();
    throw new CallError('address-refused', `${target.shown}: the connection led to another address`);
  }
  if (!target.isTls) return socket;
  return await ready(signal, 'secureConnect', openTls(target, socket, trust), (error) =>
    tlsFailure(error, target),
  );
}

function openTcp({ port }: CallTarget, { addresses }: CheckedAddresses): Socket {
  const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return connectTcp({
    // The name is not looked up again: what was checked is what it is given.
    host: 'checked.invalid',
    lookup: (_host, _options, callback) => callback(null, found),
    autoSelectFamily: true,
    port,
    noDelay: true,
    // An answer may take as long as the work: a node that has gone meanwhile is noticed.
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  });
}

function openTls({ servername }: CallTarget, socket: Socket, trust: SecureContext | undefined): TLSSocket {
  const tls = connectTls({
    socket,
    // SNI knows names only.
    ...(isIP(servername) === 0 && { servername }),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(servername, certificate),
    ...(trust === undefined ? {} : { secureContext: trust }),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
  });
  tls.disableRenegotiation();
  return tls;
}

/** Resolves with the socket at the event; until then each error and end is the failure, and afterwards its user's. */
function ready<S extends Socket>(
  signal: AbortSignal,
  event: 'connect' | 'secureConnect',
  socket: S,
  failure: (error: unknown) => CallError,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onReady).off('close', onClose);
    };
    const fail = (error: Error): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onReady = (): void => {
      settle();
      resolve(socket);
    };
    const onAbort = (): void => fail(signal.reason as Error);
    const onClose = (): void => fail(failure(undefined));
    socket.once(event, onReady).once('close', onClose);
    // Stays: an error that comes when nobody listens would end the process.
    socket.on('error', (error) => fail(failure(error)));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
