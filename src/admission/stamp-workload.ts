import { LABEL_APPLICATION } from '../contract/index.ts';
import { denied, patched, unchanged, type Decision } from './decision.ts';
import { examineWorkload, type Examination } from './examine-workload.ts';
import { planFinalizer } from './finalizer.ts';
import { createPatchBuilder } from './json-patch.ts';
import { isOlderProblem } from './older-problem.ts';
import type { ReviewSubject } from './review-subject.ts';
import { stampOf, unstampOf } from './stamp.ts';

/** Stamps the pod template of a Deployment, StatefulSet, DaemonSet, ReplicaSet or ReplicationController, or takes the stamp away. */
export function stampWorkload(subject: ReviewSubject): Decision {
  // The pods are injected one by one; here only the conflicts are of interest.
  const found = examineWorkload(subject, createPatchBuilder());
  if (found.problem !== undefined) {
    const isOlder = isOlderProblem(subject.request, found.problem, (object, meta) =>
      examineWorkload({ ...subject, object, meta }, createPatchBuilder()),
    );
    if (!isOlder) return denied(found.problem, found.warnings);
    return unchanged('conflict-is-older', [found.problem.message, ...found.warnings]);
  }
  if (found.target === undefined) return unstamp(subject, found);

  const patch = createPatchBuilder();
  const { application, ownLabel } = found.target;
  patch.changeMeta('/metadata', subject.meta, { labels: { [LABEL_APPLICATION]: ownLabel } });
  planFinalizer(patch, subject.meta, found.asked.request.hooks.includes('shutdown'));
  patch.changeMeta('/spec/template/metadata', found.template, stampOf(application, found.asked));
  return patched('stamped', patch.operations, found.warnings, application);
}

function unstamp({ meta }: ReviewSubject, found: Examination): Decision {
  const patch = createPatchBuilder();
  planFinalizer(patch, meta, false);
  patch.changeMeta('/spec/template/metadata', found.template, unstampOf(found.template));
  if (patch.operations.length > 0) return patched('unstamped', patch.operations, found.warnings);
  const isUnnamed = found.asked.request.hooks.length > 0;
  return unchanged(isUnnamed ? 'unnamed' : 'no-hooks', found.warnings);
}
