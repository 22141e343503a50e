import { ANNOTATION_STAMPED_FROM, LABEL_APPLICATION } from '../contract/index.ts';
import { applicationOf } from './application-of.ts';
import { readAskedHooks, withoutStamp, type Asked, type Place } from './asked-hooks.ts';
import type { Problem } from './decision.ts';
import { buildInjection } from './injection.ts';
import type { PatchBuilder, Pointer } from './json-patch.ts';
import { readMeta, type Meta } from './object-meta.ts';
import { readObject, type JsonObject } from '../review/index.ts';
import { planInjection } from './plan-injection.ts';
import type { ReviewSubject } from './review-subject.ts';
import { warnOfLimits, warnOfTemplateSettings } from './warn-of-limits.ts';

/** What was found out about a workload with a pod template. */
export interface Examination {
  readonly asked: Asked;
  /** Metadata of the pod template. */
  readonly template: Meta;
  /** The application, and the label that the workload's own metadata should have; undefined: no hook is asked for. */
  readonly target: { readonly application: string; readonly ownLabel: string | undefined } | undefined;
  readonly problem: Problem | undefined;
  readonly warnings: readonly string[];
}

/**
 * Finds out what a workload's annotations come to, and whether its pods could be injected, so that a conflict is told at the
 * workload's own admission and not in the events of a ReplicaSet.
 *
 * @param patch gets the injection of the pod template; a workload that is only stamped throws it away
 */
export function examineWorkload(
  { kind, request, settings, object, meta }: ReviewSubject,
  patch: PatchBuilder,
): Examination {
  const { template, spec, path, place } = readPodTemplate(object, ['spec', 'template']);
  const asked = readAskedHooks({ field: 'metadata.annotations', annotations: meta.annotations }, [place]);
  const lost = warnOfTemplateSettings(
    place.field,
    template.annotations,
    meta.annotations,
    asked.fromTemplate,
  );
  const told = [...asked.warnings, ...lost];
  const found = { asked, template, target: undefined, problem: asked.problem, warnings: told };
  if (asked.problem !== undefined || asked.request.hooks.length === 0 || spec === undefined) return found;

  const naming = applicationOf(kind, meta, request);
  if (naming === undefined) return found;
  if ('problem' in naming) return { ...found, problem: naming.problem };
  const { containers } = asked.request;
  const injection = buildInjection(settings, request.namespace, naming.application, asked.request);
  const staleApplication = staleApplicationOf(template);
  const { problem, warnings } = planInjection(
    { spec, path, containers, staleApplication, hasClaims: claimsVolumes(object) },
    injection,
    patch,
  );
  return {
    ...found,
    target: naming,
    problem,
    warnings: [...told, ...warnings, ...warnOfLimits(kind, asked.request)],
  };
}

/** A StatefulSet's pods have volumes that their template does not name. */
function claimsVolumes(object: JsonObject): boolean {
  const claims = readObject(object.spec, 'spec')?.volumeClaimTemplates;
  return Array.isArray(claims) && claims.length > 0;
}

export interface PodTemplate {
  readonly template: Meta;
  /** The pod spec and its path; undefined when there is none, which the API server will refuse. */
  readonly spec: JsonObject | undefined;
  readonly path: Pointer;
  /** Its annotations as far as they are the user's. */
  readonly place: Place;
}

/** Reads the pod template at a path of the object. */
export function readPodTemplate(object: JsonObject, at: readonly string[]): PodTemplate {
  const value = at.reduce<JsonObject | undefined>((parent, key, i) => {
    return readObject(parent?.[key], at.slice(0, i + 1).join('.'));
  }, object);
  const field = at.join('.');
  const template = readMeta(value?.metadata, `${field}.metadata`);
  return {
    template,
    spec: readObject(value?.spec, `${field}.spec`),
    path: `/${at.join('/')}/spec`,
    place: { field: `${field}.metadata.annotations`, annotations: withoutStamp(template.annotations) },
  };
}

/** The application that a stamp found in place names: of a copied manifest it is another one. */
export function staleApplicationOf(meta: Meta): string | undefined {
  const isOurs = meta.annotations?.[ANNOTATION_STAMPED_FROM] !== undefined;
  return isOurs ? meta.labels?.[LABEL_APPLICATION] : undefined;
}
