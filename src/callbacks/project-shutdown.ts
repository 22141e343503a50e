import { parseShutdownService } from '../contract/index.ts';
import { field, textField, timesOf } from './field.ts';
import type { KnownConversation, KnownPod, KnownShutdown } from './known-shutdown.ts';

const nothing = (form: KnownShutdown['form'], sequence: number | undefined): KnownShutdown => ({
  form,
  sequence,
  conversations: [],
  volunteered: undefined,
});
/** Shared by all Applications that never had a conversation: of ten thousand these are nearly all. */
const NOTHING: readonly KnownShutdown[] = [
  nothing('service', undefined),
  nothing('service', 0),
  nothing('pod', undefined),
  nothing('pod', 0),
];
const NO_PODS: readonly KnownPod[] = [];

/** Reads `spec.shutdown.service`, `status.shutdown` and `status.signals.shutdownFrom`, defensively like all of the cache. */
export function projectShutdown(spec: unknown, status: unknown): KnownShutdown {
  const form = formOf(textField(field(spec, 'shutdown'), 'service'));
  const shutdown = field(status, 'shutdown');
  const sequence = field(shutdown, 'sequence');
  const listed = field(shutdown, 'conversations');
  const conversations = Array.isArray(listed) ? listed.map(conversationOf) : [];
  const known = {
    form,
    sequence: typeof sequence === 'number' ? sequence : undefined,
    conversations,
    volunteered: timesOf(field(field(status, 'signals'), 'shutdownFrom')),
  };
  return NOTHING.find((shared) => isSame(shared, known)) ?? known;
}

function isSame(shared: KnownShutdown, known: KnownShutdown): boolean {
  return (
    known.conversations.length === 0 &&
    known.volunteered === undefined &&
    shared.form === known.form &&
    shared.sequence === known.sequence
  );
}

function formOf(service: string | undefined): 'service' | 'pod' {
  return service === undefined ? 'service' : (parseShutdownService(service)?.form ?? 'service');
}

function conversationOf(value: unknown): KnownConversation {
  const form = field(value, 'form') === 'pod' ? 'pod' : 'service';
  const listed = field(value, 'pods');
  const pods: readonly unknown[] = Array.isArray(listed) ? listed : [];
  return {
    id: textField(value, 'id') ?? '',
    form,
    deadline: textField(value, 'deadline') ?? '',
    outcome: textField(value, 'outcome'),
    endedAt: textField(value, 'endedAt'),
    confirmedAt: confirmedAtOf(value),
    podUids: pods.map((pod) => textField(pod, 'uid') ?? ''),
    pods: form === 'pod' ? pods.map(podOf) : NO_PODS,
  };
}

function podOf(value: unknown): KnownPod {
  return {
    uid: textField(value, 'uid') ?? '',
    name: textField(value, 'name') ?? '',
    address: textField(value, 'address'),
    confirmedAt: confirmedAtOf(value),
  };
}

function confirmedAtOf(value: unknown): string | undefined {
  return textField(field(value, 'confirmation'), 'receivedAt');
}
