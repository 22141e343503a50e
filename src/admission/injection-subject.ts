import type { JsonObject } from '../review/index.ts';
import type { Pointer } from './json-patch.ts';

/** A pod spec that is to be injected. */
export interface InjectionSubject {
  /** The pod spec. */
  readonly spec: JsonObject;
  /** Where it stands in the object. */
  readonly path: Pointer;
  /** Names of the chosen containers; undefined: all regular ones. */
  readonly containers: readonly string[] | undefined;
  /** The application whose injection may be found there because the manifest was copied. */
  readonly staleApplication: string | undefined;
  /** The pods will have claimed volumes that the spec does not name; false when left out. */
  readonly hasClaims?: boolean;
}
