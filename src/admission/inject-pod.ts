import { ANNOTATION_STAMPED_FROM, LABEL_APPLICATION, parseHookAnnotations } from '../contract/index.ts';
import { applicationOf, named, type Naming } from './application-of.ts';
import { warnOfLimits } from './asked-hooks.ts';
import { denied, patched, unchanged, type Decision } from './decision.ts';
import { staleApplicationOf } from './examine-workload.ts';
import { buildInjection } from './injection.ts';
import { createPatchBuilder } from './json-patch.ts';
import { readObject } from '../review/index.ts';
import { planInjection } from './plan-injection.ts';
import type { ReviewSubject } from './review-subject.ts';

/** Injects a Pod at its creation. What it needs stands in its label and annotations; a Pod of its own is labelled first. */
export function injectPod(subject: ReviewSubject): Decision {
  const { request, settings, object, meta } = subject;
  const hookRequest = parseHookAnnotations(meta.annotations);
  if (hookRequest.hooks.length === 0) return unchanged('no-hooks', hookRequest.warnings);

  const label = meta.labels?.[LABEL_APPLICATION];
  if (meta.knownOwner !== undefined && label === undefined) {
    const warning = `the pod template of its ${meta.knownOwner} carries no label ${LABEL_APPLICATION} yet, so nothing is injected`;
    return unchanged('owner-not-stamped', [warning, ...hookRequest.warnings]);
  }
  const naming = nameOf(subject, label);
  if (naming === undefined) return unchanged('unnamed', hookRequest.warnings);
  if ('problem' in naming) return denied(naming.problem, hookRequest.warnings);
  const { application } = naming;

  const patch = createPatchBuilder();
  const injection = buildInjection(settings, request.namespace, application, hookRequest.hooks);
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
  const limits = meta.knownOwner === undefined ? warnOfLimits('Pod', hookRequest) : [];
  const warnings = [...hookRequest.warnings, ...found.warnings, ...limits];
  if (found.problem !== undefined) return denied(found.problem, warnings);

  // The mark says that the label is ours, so that a copy of this Pod is named anew.
  const isOurLabel = meta.knownOwner === undefined && (label === undefined || isStamped(subject));
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
