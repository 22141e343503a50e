import { LABEL_APPLICATION, USER_ANNOTATIONS, applicationName } from '../contract/index.ts';
import { readAskedHooks, withoutStamp, type Asked } from './asked-hooks.ts';
import { denied, patched, unchanged, type Decision, type Problem } from './decision.ts';
import { readPodTemplate, staleApplicationOf } from './examine-workload.ts';
import { buildInjection } from './injection.ts';
import { createPatchBuilder } from './json-patch.ts';
import { readMeta, type Meta } from './object-meta.ts';
import { readObject, type JsonObject } from '../review/index.ts';
import { isOlderProblem } from './older-problem.ts';
import { planInjection } from './plan-injection.ts';
import type { ReviewSubject } from './review-subject.ts';
import { cronJobStampOf, cronJobUnstampOf } from './stamp.ts';
import { warnOfLimits } from './warn-of-limits.ts';

interface CronJobExamination {
  readonly asked: Asked;
  readonly jobTemplate: Meta;
  readonly problem: Problem | undefined;
  readonly warnings: readonly string[];
}

const JOB_TEMPLATE_METADATA = '/spec/jobTemplate/metadata';

/** Writes a CronJob's annotations into its job template, so that every Job of it comes with them, or takes them away. */
export function stampCronJob(subject: ReviewSubject): Decision {
  const found = examineCronJob(subject, subject.object, subject.meta);
  if (found.problem !== undefined) {
    const isOlder = isOlderProblem(subject.request, found.problem, (object, meta) =>
      examineCronJob(subject, object, meta),
    );
    if (!isOlder) return denied(found.problem, found.warnings);
    return unchanged('conflict-is-older', [found.problem.message, ...found.warnings]);
  }
  const { asked, jobTemplate } = found;
  const isStamped = asked.request.hooks.length > 0 && !asked.fromTemplate;
  const changes = isStamped ? cronJobStampOf(asked, subject.meta) : cronJobUnstampOf(jobTemplate);
  const patch = createPatchBuilder();
  patch.changeMeta(JOB_TEMPLATE_METADATA, jobTemplate, changes);
  if (isStamped) return patched('stamped', patch.operations, found.warnings);
  if (patch.operations.length > 0) return patched('unstamped', patch.operations, found.warnings);
  return unchanged(asked.fromTemplate ? 'up-to-date' : 'no-hooks', found.warnings);
}

function examineCronJob(
  { request, settings }: ReviewSubject,
  object: JsonObject,
  meta: Meta,
): CronJobExamination {
  const spec = readObject(object.spec, 'spec');
  const jobTemplate = readMeta(
    readObject(spec?.jobTemplate, 'spec.jobTemplate')?.metadata,
    JOB_TEMPLATE_METADATA,
  );
  const pod = readPodTemplate(object, ['spec', 'jobTemplate', 'spec', 'template']);
  const asked = readAskedHooks(
    { field: 'metadata.annotations', annotations: meta.annotations },
    [
      {
        field: 'spec.jobTemplate.metadata.annotations',
        annotations: withoutStamp(jobTemplate.annotations),
      },
      pod.place,
    ],
    USER_ANNOTATIONS,
  );
  const found = { asked, jobTemplate, problem: asked.problem, warnings: asked.warnings };
  if (asked.problem !== undefined || asked.request.hooks.length === 0 || pod.spec === undefined) return found;

  // The Jobs' names are not known yet, but what would be in their way is.
  const { containers } = asked.request;
  const name = applicationName('Job', meta.name ?? meta.generateName ?? '');
  const { problem, warnings } = planInjection(
    { spec: pod.spec, path: pod.path, containers, staleApplication: staleApplicationOf(pod.template) },
    buildInjection(settings, request.namespace, name, asked.request),
    createPatchBuilder(),
  );
  return {
    ...found,
    problem,
    warnings: [
      ...asked.warnings,
      ...warnings,
      ...warnOfLimits('CronJob', asked.request),
      ...warnOfLabel(meta),
    ],
  };
}

function warnOfLabel(meta: Meta): string[] {
  if (meta.labels?.[LABEL_APPLICATION] === undefined) return [];
  return [
    `the label ${LABEL_APPLICATION} on a CronJob has no effect, each of its Jobs is an application; to group them write it into spec.jobTemplate.metadata.labels`,
  ];
}
