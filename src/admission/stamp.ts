import {
  ANNOTATION_AUTH,
  ANNOTATION_CONTAINERS,
  ANNOTATION_HOOKS,
  ANNOTATION_STAMPED_FROM,
  LABEL_APPLICATION,
  SETTING_ANNOTATIONS,
  TEMPLATE_ANNOTATIONS,
  type HookRequest,
} from '../contract/index.ts';
import type { Asked } from './asked-hooks.ts';
import type { MapChanges } from './json-patch.ts';
import type { Meta } from './object-meta.ts';

export interface StampChanges {
  readonly labels: MapChanges;
  readonly annotations: MapChanges;
}

/** The stamp of a pod template: the label says the application, the annotations what its pods get, and where that was asked for. */
export function stampOf(application: string, asked: Asked): StampChanges {
  return {
    labels: { [LABEL_APPLICATION]: application },
    annotations: asked.fromTemplate
      ? { [ANNOTATION_STAMPED_FROM]: 'template' }
      : { ...choiceOf(asked.request), [ANNOTATION_STAMPED_FROM]: 'workload' },
  };
}

/**
 * The stamp of a CronJob, on its job template: annotations only, since each run is an application of its own. The Job has no other
 * place for its settings (complete-*, shutdown-*), so they are copied too, as they were written.
 */
export function cronJobStampOf(asked: Asked, own: Meta): StampChanges {
  const annotations = {
    ...choiceOf(asked.request),
    ...Object.fromEntries(SETTING_ANNOTATIONS.map((key) => [key, own.annotations?.[key]])),
    [ANNOTATION_STAMPED_FROM]: 'workload',
  };
  return { labels: {}, annotations };
}

/** Takes a pod template's stamp away, and only what the stamp says is ours; no change for a template without one. */
export function unstampOf(template: Meta): StampChanges {
  return takeAway(template, TEMPLATE_ANNOTATIONS);
}

/** The same for a CronJob's job template. */
export function cronJobUnstampOf(jobTemplate: Meta): StampChanges {
  return takeAway(jobTemplate, [...TEMPLATE_ANNOTATIONS, ...SETTING_ANNOTATIONS]);
}

function takeAway(template: Meta, copiedKeys: readonly string[]): StampChanges {
  const from = template.annotations?.[ANNOTATION_STAMPED_FROM];
  if (from === undefined) return { labels: {}, annotations: {} };
  const keys = [...(from === 'workload' ? copiedKeys : []), ANNOTATION_STAMPED_FROM];
  return {
    labels: { [LABEL_APPLICATION]: undefined },
    annotations: Object.fromEntries(keys.map((key) => [key, undefined])),
  };
}

/** Written in one way, so that a space more in the user's annotation rolls nothing out; misspelt values are as they were read. */
function choiceOf({ hooks, containers, auth }: HookRequest): MapChanges {
  return {
    [ANNOTATION_HOOKS]: hooks.join(','),
    [ANNOTATION_CONTAINERS]: containers?.join(','),
    // Left out when it is the default, so that no workload of a version which knew no other is rolled out.
    [ANNOTATION_AUTH]: auth === 'token' ? undefined : auth,
  };
}
