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

export interface HttpsListenerOptions extends ListenerOptions {
  readonly tls: TlsSource;
}

/**
 * HTTPS, TLS 1.2 at least, without renegotiation. A changed certificate serves the next handshake; connections that are open go on
 * with the old one. A certificate that cannot be used is logged, and the one before stays.
 */
export function createHttpsListener(options: HttpsListenerOptions): Listener {
  const { tls, name, logger } = options;
  const context = () => ({
    ...tls.current(),
    minVersion: 'TLSv1.2' as const,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
  // The certificate is there at the start at the latest; a server may be made without one.
  const use = (server: Server) => server.setSecureContext(context());
  return createListener(
    {
      create: (http, limits) => createServer({ ...http, handshakeTimeout: limits.handshakeTimeoutMs }),
      opened: 'secureConnection',
      prepare: (server) => {
        use(server as Server);
        return tls.onChange(() => {
          try {
            use(server as Server);
            logger?.info('certificate swapped', { listener: name });
          } catch (error) {
            logger?.error('certificate not usable, the one before stays', {
              listener: name,
              error: String(error),
            });
          }
        });
      },
    },
    options,
  );
}
