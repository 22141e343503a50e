import { ANNOTATION_AUTH, LABEL_APPLICATION, parseHookAnnotations } from '../contract/index.ts';
import { readAskedHooks, type Asked } from './asked-hooks.ts';
import { denied, patched, unchanged, type Decision } from './decision.ts';
import { examineWorkload, readPodTemplate } from './examine-workload.ts';
import { planFinalizer } from './finalizer.ts';
import { createPatchBuilder } from './json-patch.ts';
import type { ReviewSubject } from './review-subject.ts';
import { stampOf, unstampOf } from './stamp.ts';

const TEMPLATE_METADATA = '/spec/template/metadata';

/** Stamps and injects a Job at its creation: its template cannot be changed later, so all that its pods need must be in it. */
export function injectJob(subject: ReviewSubject): Decision {
  if (subject.request.operation === 'UPDATE') return updateJob(subject);

  const patch = createPatchBuilder();
  const found = examineWorkload(subject, patch);
  if (found.problem !== undefined) return denied(found.problem, found.warnings);
  if (found.target === undefined) {
    planFinalizer(patch, subject.meta, false);
    patch.changeMeta(TEMPLATE_METADATA, found.template, unstampOf(found.template));
    if (patch.operations.length > 0) return patched('unstamped', patch.operations, found.warnings);
    return unchanged(found.asked.request.hooks.length > 0 ? 'unnamed' : 'no-hooks', found.warnings);
  }
  const { application, ownLabel } = found.target;
  patch.changeMeta('/metadata', subject.meta, { labels: { [LABEL_APPLICATION]: ownLabel } });
  planFinalizer(patch, subject.meta, isHeld(subject, found.asked));
  patch.changeMeta(TEMPLATE_METADATA, found.template, stampOf(application, found.asked));
  return patched('injected', patch.operations, found.warnings, application);
}

/** Of a Job that is there already only the metadata can change: its finalizer follows the annotations. */
function updateJob(subject: ReviewSubject): Decision {
  const { meta, object } = subject;
  const { template, place } = readPodTemplate(object, ['spec', 'template']);
  const asked = readAskedHooks({ field: 'metadata.annotations', annotations: meta.annotations }, [place]);
  // Pods that were made without a hook don't know of it: nor are they held for the shutdown hook.
  const isInjected = template.labels?.[LABEL_APPLICATION] !== undefined;
  const given = parseHookAnnotations(isInjected ? template.annotations : undefined);
  const late = asked.request.hooks.filter((hook) => !given.hooks.includes(hook));
  const warnings = [...asked.warnings];
  if (late.length > 0) {
    warnings.push(
      `a Job cannot be given hooks after its creation, its pods do not know of ${late.join(' and ')}; delete it and create it again`,
    );
  }
  if (given.hooks.length > 0 && late.length === 0 && given.auth !== asked.request.auth) {
    warnings.push(
      `${ANNOTATION_AUTH} cannot be changed after a Job's creation, its pods have what "${given.auth}" needs; delete it and create it again`,
    );
  }
  if (asked.problem !== undefined) return unchanged('immutable', warnings);

  const isWanted = isHeld(subject, asked) && !late.includes('shutdown');
  const patch = createPatchBuilder();
  planFinalizer(patch, meta, isWanted);
  if (patch.operations.length === 0) return unchanged('immutable', warnings);
  return patched(isWanted ? 'stamped' : 'unstamped', patch.operations, warnings);
}

/** A Job of a CronJob is an application of its own; one of another workload is a part of that. */
function isHeld({ meta }: ReviewSubject, { request }: Asked): boolean {
  const isPart = meta.knownOwner !== undefined && meta.knownOwner !== 'CronJob';
  return request.hooks.includes('shutdown') && !isPart;
}
