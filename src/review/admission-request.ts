/** The parts of an AdmissionReview's request that are read, in its own words. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly operation: Operation;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  /** Empty while there is only a generateName. */
  readonly name: string;
  /** Empty for the object itself. */
  readonly subResource: string;
  readonly dryRun: boolean;
  /** Who asks, as the API server has authenticated it. */
  readonly username: string;
  readonly object: unknown;
  readonly oldObject: unknown;
}

export const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const;
export type Operation = (typeof OPERATIONS)[number];
