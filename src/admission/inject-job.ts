import { LABEL_APPLICATION, parseHookAnnotations } from '../contract/index.ts';
import { denied, patched, unchanged, type Decision } from './decision.ts';
import { examineWorkload, readPodTemplate } from './examine-workload.ts';
import { createPatchBuilder } from './json-patch.ts';
import type { ReviewSubject } from './review-subject.ts';
import { stampOf, unstampOf } from './stamp.ts';

const TEMPLATE_METADATA = '/spec/template/metadata';

/** Stamps and injects a Job at its creation: its template cannot be changed later, so all that its pods need must be in it. */
export function injectJob(subject: ReviewSubject): Decision {
  if (subject.request.operation === 'UPDATE') return unchanged('immutable', warnOfUpdate(subject));

  const patch = createPatchBuilder();
  const found = examineWorkload(subject, patch);
  if (found.problem !== undefined) return denied(found.problem, found.warnings);
  if (found.target === undefined) {
    patch.changeMeta(TEMPLATE_METADATA, found.template, unstampOf(found.template));
    if (patch.operations.length > 0) return patched('unstamped', patch.operations, found.warnings);
    return unchanged(found.asked.request.hooks.length > 0 ? 'unnamed' : 'no-hooks', found.warnings);
  }
  const { application, ownLabel } = found.target;
  patch.changeMeta('/metadata', subject.meta, { labels: { [LABEL_APPLICATION]: ownLabel } });
  patch.changeMeta(TEMPLATE_METADATA, found.template, stampOf(application, found.asked));
  return patched('injected', patch.operations, found.warnings, application);
}

function warnOfUpdate({ meta, object }: ReviewSubject): readonly string[] {
  const { hooks, warnings } = parseHookAnnotations(meta.annotations);
  const { template } = readPodTemplate(object, ['spec', 'template']);
  if (hooks.length === 0 || template.labels?.[LABEL_APPLICATION] !== undefined) return warnings;
  return [
    ...warnings,
    'a Job cannot be given hooks after its creation, its pods run without them; delete it and create it again',
  ];
}
