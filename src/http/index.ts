export type { HttpsListenerOptions, Listener, TlsSource } from './https-listener.ts';
