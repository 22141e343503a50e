import type { WorkloadKind } from '../contract/index.ts';
import type { AdmissionRequest } from '../review/index.ts';
import type { Meta } from './object-meta.ts';
import type { JsonObject } from '../review/index.ts';
import type { AdmissionSettings } from './settings.ts';

/** An object that a review is about, once it is known that its kind concerns us. */
export interface ReviewSubject {
  readonly kind: WorkloadKind;
  readonly request: AdmissionRequest;
  readonly settings: AdmissionSettings;
  readonly object: JsonObject;
  readonly meta: Meta;
}
