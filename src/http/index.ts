export type { HttpsListenerOptions, Listener, TlsSource } from './https-listener.ts';
export { parseJson, type JsonResult } from './parse-json.ts';
export { problemBody, sendProblem, sendProblemAndClose, type Problem } from './problem.ts';
export { readBody, type BodyResult, type ReadBodyOptions } from './read-body.ts';
