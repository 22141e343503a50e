import { decideGoodbye, type GoodbyeSender } from '../../../src/callbacks/decide-goodbye.ts';
import { projectApplication } from '../../../src/callbacks/project-application.ts';

const NOW = Date.UTC(2030, 0, 1);
export const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
export const confirmation = (seconds: number) => ({
  confirmation: { receivedAt: at(seconds), provenBy: 'token' },
});

export const service = (id: string, more: object = {}) => ({
  id,
  form: 'service',
  deadline: at(60),
  pods: [],
  ...more,
});
export const ofPods = (id: string, pods: readonly object[], more: object = {}) => ({
  id,
  form: 'pod',
  deadline: at(60),
  pods,
  ...more,
});
export const pod = (name: string, more: object = {}) => ({
  uid: `uid-${name}`,
  name,
  address: `10.0.0.${name.charCodeAt(0)}`,
  ...more,
});
export const ended = (outcome: string, seconds = -10) => ({ outcome, endedAt: at(seconds) });
export const addressOf = (name: string) => pod(name).address;

export interface Case {
  readonly conversations?: readonly object[];
  readonly podForm?: boolean;
  readonly signals?: object;
  readonly sender?: Partial<GoodbyeSender>;
}

/** In short: what it is, and where it goes. */
export function decide({ conversations = [], podForm = false, signals = {}, sender = {} }: Case): string {
  const known = projectApplication({
    metadata: { uid: 'u' },
    spec: { shutdown: { service: podForm ? 'pod:8080' : 'shutdown' } },
    status: { signals, shutdown: { sequence: conversations.length, conversations } },
  });
  if (known === undefined) throw new Error('no application');
  const from = { pod: undefined, conversation: undefined, address: '10.9.9.9', ...sender };
  const decision = decideGoodbye(known, from);
  switch (decision.kind) {
    case 'confirm': {
      const places = decision.places.map(
        (place) => `${place.conversation.index}${place.pod === undefined ? '' : `/${place.pod.index}`}`,
      );
      return `${decision.guessed ? 'guess' : 'confirm'} ${places.join(' ')}`;
    }
    case 'volunteer':
      return `volunteer ${decision.key ?? 'service'}`;
    case 'already':
      return `already ${[decision.conversation, decision.pod, decision.receivedAt].filter(Boolean).join(' ')}`;
    case 'refused':
      return decision.reason;
  }
}
