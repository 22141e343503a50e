import { ANNOTATION_STAMPED_FROM, LABEL_APPLICATION, parseHookAnnotations } from '../contract/index.ts';
import { applicationOf, named, type Naming } from './application-of.ts';
import { denied, patched, unchanged, type Decision } from './decision.ts';
import { staleApplicationOf } from './examine-workload.ts';
import { buildInjection } from './injection.ts';
import { createPatchBuilder } from './json-patch.ts';
import { readObject } from '../review/index.ts';
import { planInjection } from './plan-injection.ts';
import type { ReviewSubject } from './review-subject.ts';
import { warnOfLimits, warnOfSettings } from './warn-of-limits.ts';

/** Injects a Pod at its creation. What it needs stands in its label and annotations; a Pod of its own is labelled first. */
export function injectPod(subject: ReviewSubject): Decision {
  const { request, settings, object, meta } = subject;
  const hookRequest = parseHookAnnotations(meta.annotations);
  // The pod of a workload repeats what was said about that.
  const isAlone = meta.knownOwner === undefined;
  const told = [...hookRequest.warnings, ...(isAlone ? warnOfSettings(hookRequest, meta.annotations) : [])];
  if (hookRequest.hooks.length === 0) return unchanged('no-hooks', told);

  const label = meta.labels?.[LABEL_APPLICATION];
  if (!isAlone && label === undefined) {
    const warning = `the pod template of its ${meta.knownOwner} carries no label ${LABEL_APPLICATION} yet, so nothing is injected`;
    return unchanged('owner-not-stamped', [warning, ...told]);
  }
  const naming = nameOf(subject, label);
  if (naming === undefined) return unchanged('unnamed', told);
  if ('problem' in naming) return denied(naming.problem, told);
  const { application } = naming;

  const patch = createPatchBuilder();
  const injection = buildInjection(settings, request.namespace, application, hookRequest);
  const found = planInjection(
    {
      spec: readObject(object.spec, 'spec') ?? {},
      path: '/spec',
      containers: hookRequest.containers,
      staleApplication: staleApplicationOf(meta),
    },
    injection,
    patch,
  );
  const warnings = [...told, ...found.warnings, ...(isAlone ? warnOfLimits('Pod', hookRequest) : [])];
  if (found.problem !== undefined) return denied(found.problem, warnings);

  // The mark says that the label is ours, so that a copy of this Pod is named anew.
  const isOurLabel = isAlone && (label === undefined || isStamped(subject));
  patch.changeMeta('/metadata', meta, {
    labels: { [LABEL_APPLICATION]: application },
    annotations: isOurLabel ? { [ANNOTATION_STAMPED_FROM]: 'template' } : {},
  });
  return patched('injected', patch.operations, warnings, application);
}

/** A Pod of an owner that we know belongs to its owner's application, which only the label can say. */
function nameOf(subject: ReviewSubject, label: string | undefined): Naming | undefined {
  if (subject.meta.knownOwner !== undefined && label !== undefined) return named(label);
  return applicationOf('Pod', subject.meta, subject.request, isStamped(subject));
}

function isStamped({ meta }: ReviewSubject): boolean {
  return meta.annotations?.[ANNOTATION_STAMPED_FROM] !== undefined;
}
