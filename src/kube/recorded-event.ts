/** The object that an Event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for cluster-scoped objects; their Events live in `default`. */
  readonly namespace?: string;
  readonly uid: string;
}

export interface RecordedEvent {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** Why, in one CamelCase word; the same as in logs and metrics. */
  readonly reason: string;
  /** What was done or tried, in one CamelCase word. */
  readonly action: string;
  /** For people; cut to 1 kB. Never a token or key. */
  readonly note: string;
}
