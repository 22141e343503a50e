import { ANNOTATION_COMPLETE_ACTION, secretName, type Hook } from '../contract/index.ts';
import { UNSCALABLE_KINDS, type BoundWorkload } from './application.ts';
import type { PlannedEvent } from './application-view.ts';
import type { Wish } from './wish.ts';

type Refs = readonly BoundWorkload[];

function normal(reason: string, action: string, note: string, workloads: Refs = []): PlannedEvent {
  return { type: 'Normal', reason, action, note, workloads };
}

function warning(reason: string, action: string, note: string, workloads: Refs = []): PlannedEvent {
  return { type: 'Warning', reason, action, note, workloads };
}

export function hooksEnabled(name: string, hooks: readonly Hook[], workloads: Refs): PlannedEvent {
  const note = `Application ${name}: hooks ${hooks.join(', ')} are on; what its pods need is in the Secret ${secretName(name)}`;
  return normal('HooksEnabled', 'IssueToken', note, workloads);
}

export function startedAnew(name: string, workloads: Refs): PlannedEvent {
  const note = `Application ${name} starts anew with a new token; earlier signals are forgotten`;
  return normal('StartedAnew', 'IssueToken', note, workloads);
}

export function hooksDisabled(name: string, why: string, workloads: Refs): PlannedEvent {
  return normal('HooksDisabled', 'RevokeToken', `Application ${name}: ${why}; its token is void`, workloads);
}

export function secretRepaired(name: string, runningPods: number, workloads: Refs): PlannedEvent {
  const restart =
    runningPods > 0
      ? `; ${runningPods} pods that started before hold a void token and have to be restarted`
      : '';
  const note = `the Secret ${secretName(name)} was deleted or changed and has a new token${restart}`;
  return warning('SecretRepaired', 'IssueToken', note, workloads);
}

export function tokenRotated(
  name: string,
  runningPods: number,
  until: string | undefined,
  workloads: Refs,
): PlannedEvent {
  const former = until === undefined ? 'are void' : `are taken until ${until}`;
  const restart =
    runningPods > 0
      ? `; ${runningPods} pods that started before have the former token in their environment: restart them, unless they read it from its file`
      : '';
  const note = `Application ${name} has a new token and certificate; the former ones ${former}${restart}`;
  return normal('TokenRotated', 'IssueToken', note, workloads);
}

export function tokenRevoked(name: string, why: string, workloads: Refs): PlannedEvent {
  const note = `Application ${name}: ${why}; its token and certificate are void`;
  return normal('TokenRevoked', 'RevokeToken', note, workloads);
}

export function certificateIssued(name: string): PlannedEvent {
  const note = `Application ${name} has a certificate; it is in the Secret ${secretName(name)}`;
  return normal('CertificateIssued', 'IssueCertificate', note);
}

export function certificateRenewed(name: string, why: string): PlannedEvent {
  const note = `Application ${name} has a new certificate (${why}); the former one is taken until it ends`;
  return normal('CertificateRenewed', 'IssueCertificate', note);
}

export function certificateRepaired(name: string): PlannedEvent {
  const note = `the certificate in the Secret ${secretName(name)} was lost or damaged and is a new one`;
  return warning('CertificateRepaired', 'IssueCertificate', note);
}

/** @param notAfter ms since 1970 */
export function signingCertificateEnded(name: string, notAfter: number, workloads: Refs = []): PlannedEvent {
  const at = new Date(notAfter).toISOString();
  const note =
    `Application ${name} can have no certificate after ${at}: what signs them ends then (pki.clientCertificates.intermediateCert); ` +
    'put its successor into the files; until then signals that need a certificate are answered 401, and pods of an application that begins wait for its files';
  return warning('SigningCertificateEnded', 'IssueCertificate', note, workloads);
}

export function secretUpdated(name: string): PlannedEvent {
  return normal(
    'SecretUpdated',
    'WriteSecret',
    `CA bundle and metadata of the Secret ${secretName(name)} were brought in order`,
  );
}

export function completeReceived(name: string, workloads: Refs): PlannedEvent {
  return normal('CompleteReceived', 'Complete', `Application ${name} says that it is complete`, workloads);
}

export function deletedByCompleteHook(workload: BoundWorkload): PlannedEvent {
  const note = `${workload.kind} ${workload.name} was deleted because its application said that it is complete`;
  return normal('DeletedByCompleteHook', 'Delete', note, [workload]);
}

export function scaledToZero(workload: BoundWorkload): PlannedEvent {
  const how = workload.kind === 'Job' ? 'suspended' : 'scaled to zero';
  const note = `${workload.kind} ${workload.name} was ${how} because its application said that it is complete`;
  return normal('ScaledToZero', 'Scale', note, [workload]);
}

export function finished(reason: string, note: string, workloads: Refs): PlannedEvent {
  return normal(reason, 'Finish', note, workloads);
}

export function failed(reason: string, note: string): PlannedEvent {
  return warning(reason, 'Finish', note);
}

export function stampRepaired(workload: BoundWorkload, added: boolean): PlannedEvent {
  const note = added
    ? `the pod template of ${workload.kind} ${workload.name} lacked what its annotations ask for; it was added`
    : `the pod template of ${workload.kind} ${workload.name} still had hooks that its annotations no longer ask for; they were removed`;
  return normal(added ? 'StampRepaired' : 'StampRemoved', 'PatchTemplate', note, [workload]);
}

export function notInjected(workload: BoundWorkload): PlannedEvent {
  return warning('NotInjected', 'CheckInjection', whyNotInjected(workload), [workload]);
}

/** Why a workload that asks for hooks has none, and what to do. */
export function whyNotInjected({ kind, name }: BoundWorkload): string {
  const isFixed = kind === 'Job' || kind === 'Pod';
  return isFixed
    ? `${kind} ${name} was created without hooks (the admission webhook was not asked) and cannot be changed; delete it and create it again`
    : `the pod template of ${kind} ${name} has no hooks, because something in it is in their way; ` +
        'kubectl apply --dry-run=server says what';
}

export function podsNotInjected(reason: string, message: string, workloads: Refs): PlannedEvent {
  return warning(reason, 'CheckPods', message, workloads);
}

export function foreignSecret(name: string, workloads: Refs): PlannedEvent {
  const note =
    `there is a Secret ${secretName(name)} that krake-hooks did not make; rename or delete it, ` +
    'so that the one with the token can be written';
  return warning('ForeignSecret', 'WriteSecret', note, workloads);
}

/** What a group asks for and cannot have, of the different ways to prove itself the one in which all of its pods can start. */
export function actionWarnings(wishes: readonly Wish[]): PlannedEvent[] {
  const actions = new Set(wishes.flatMap(({ asked }) => (asked === undefined ? [] : [asked.completeAction])));
  const refs = wishes.map(({ ref }) => ref);
  const events: PlannedEvent[] = [];
  if (actions.size > 1) {
    const note = `the workloads of this application ask for different complete actions (${[...actions].join(', ')}); the mildest is used`;
    events.push(warning('CompleteActionsDiffer', 'ReadAnnotations', note, refs));
  }
  if (new Set(wishes.flatMap(({ asked }) => asked?.auth ?? [])).size > 1) {
    const note =
      'the workloads of this application ask for different proofs (token, pod-identity); the token is used';
    events.push(warning('AuthsDiffer', 'ReadAnnotations', note, refs));
  }
  const unscalable = refs.filter(({ kind }) => UNSCALABLE_KINDS.includes(kind));
  if (actions.has('scale-to-zero') && !actions.has('none') && unscalable.length > 0) {
    const kinds = [...new Set(unscalable.map(({ kind }) => kind))].join(' and ');
    const note = `${ANNOTATION_COMPLETE_ACTION}: a ${kinds} has no replicas to scale to zero; "none" is used, choose "delete" or "none"`;
    events.push(warning('ScaleToZeroImpossible', 'ReadAnnotations', note, unscalable));
  }
  return events;
}
