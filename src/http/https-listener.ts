import type { RequestListener } from 'node:http';

/** Where a listener's certificate comes from; the listener swaps it live when told of a change. */
export interface TlsSource {
  /** PEM certificate chain and private key now in use. */
  current(): { readonly cert: string; readonly key: string };
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

export interface HttpsListenerOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsSource;
  readonly onRequest: RequestListener;
}

/** A component of the process: started in order, stopped in reverse. */
export interface Listener {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  /** Stops accepting, lets requests under way end, closes idle keep-alive connections; resolves when none is left. */
  stop(): Promise<void>;
  ready(): boolean;
  /** The port that is listened on; the chosen one for port 0. */
  port(): number;
}
