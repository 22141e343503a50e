import { constants } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import { createListener, type Listener, type ListenerOptions } from './create-listener.ts';

/** Where a listener's certificate comes from; the listener swaps it live when told of a change. */
export interface TlsSource {
  /** PEM certificate chain and private key now in use. */
  current(): { readonly cert: string; readonly key: string };
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

/** The CA certificates by which a listener knows its clients. */
export interface ClientTrustSource {
  /** PEM; empty: nobody is known. */
  caPem(): string;
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

export interface HttpsListenerOptions extends ListenerOptions {
  readonly tls: TlsSource;
  /**
   * Asks clients for a certificate. `handshake: 'refuse'`: who has none that the CAs have signed gets no connection (TLS 1.3: sees it at its first
   * read); `'tell'`: `socket.authorized` and `socket.authorizationError` say what became of it. TLS sessions are not resumed then, so that each
   * connection has shown its certificate.
   */
  readonly clients?: { readonly trust: ClientTrustSource; readonly handshake: 'refuse' | 'tell' };
}

/**
 * HTTPS, TLS 1.2 at least, without renegotiation. A changed certificate serves the next handshake; connections that are open go on
 * with the old one. A certificate that cannot be used is logged, and the one before stays.
 */
export function createHttpsListener(options: HttpsListenerOptions): Listener {
  const { tls, name, logger, clients } = options;
  const withoutResumption = clients === undefined ? 0 : constants.SSL_OP_NO_TICKET;
  const context = () => ({
    ...tls.current(),
    ...(clients === undefined ? {} : { ca: trusted(clients.trust.caPem()) }),
    minVersion: 'TLSv1.2' as const,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | withoutResumption,
  });
  // The certificate is there at the start at the latest; a server may be made without one.
  const use = (server: Server) => server.setSecureContext(context());
  return createListener(
    {
      create: (http, limits) =>
        createServer({
          ...http,
          handshakeTimeout: limits.handshakeTimeoutMs,
          requestCert: clients !== undefined,
          rejectUnauthorized: clients?.handshake === 'refuse',
        }),
      opened: 'secureConnection',
      refusesClients: clients?.handshake === 'refuse',
      prepare: (server) => {
        use(server as Server);
        const swap = () => {
          try {
            use(server as Server);
            logger?.info('certificate swapped', { listener: name });
          } catch (error) {
            logger?.error('certificate not usable, the one before stays', {
              listener: name,
              error: String(error),
            });
          }
        };
        const ends = [tls.onChange(swap), clients?.trust.onChange(swap)];
        return () => ends.forEach((end) => end?.());
      },
    },
    options,
  );
}

/** An empty text would mean the public CAs of the machine, an empty list means nobody. */
function trusted(caPem: string): string | string[] {
  return caPem === '' ? [] : caPem;
}
