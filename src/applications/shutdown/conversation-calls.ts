import type { Conversation } from '../conversation.ts';

/** How a call to a shutdown service ended. */
export type CallEnd = { readonly accepted: true } | { readonly accepted: false; readonly error: string };
export type CallState = 'under-way' | CallEnd;

/** The calls of one Application, by {@link callKey}. */
export type KnownCalls = ReadonlyMap<string, CallState>;

/**
 * The calls that this process makes, beside the work queue: whoever is slow to answer holds no worker. What is under way is known here only; after a
 * crash the attempt that stands in the status has no end, and another one is made.
 */
export interface ConversationCalls {
  of(application: string): KnownCalls;
  /** Begins a call, unless it was begun before. `run` never rejects. */
  begin(application: string, key: string, run: (signal: AbortSignal) => Promise<CallEnd>): void;
  /** Ends and forgets the others: nobody waits for their answers any more. */
  retain(application: string, keys: ReadonlySet<string>): void;
  /** Ends all of them. */
  stop(): void;
}

/** One attempt of one round to ask the service, or a pod. */
export function callKey(conversation: Conversation, attempt: number, podUid?: string): string {
  return `${conversation.id}/${conversation.round}/${attempt}/${podUid ?? 'service'}`;
}

const NONE: KnownCalls = new Map();

export function createConversationCalls(onEnd: (application: string) => void): ConversationCalls {
  const states = new Map<string, Map<string, CallState>>();
  const controllers = new Map<string, AbortController>();

  function forget(application: string, key: string): void {
    const known = states.get(application);
    known?.delete(key);
    if (known?.size === 0) states.delete(application);
    controllers.get(key)?.abort(new Error('the conversation is over'));
    controllers.delete(key);
  }

  return {
    of: (application) => states.get(application) ?? NONE,
    begin(application, key, run) {
      const known = states.get(application) ?? new Map<string, CallState>();
      if (known.has(key)) return;
      states.set(application, known.set(key, 'under-way'));
      const controller = new AbortController();
      controllers.set(key, controller);
      void run(controller.signal).then((end) => {
        controllers.delete(key);
        if (known.get(key) !== 'under-way') return;
        known.set(key, end);
        onEnd(application);
      });
    },
    retain(application, keys) {
      for (const key of [...(states.get(application)?.keys() ?? [])])
        if (!keys.has(key)) forget(application, key);
    },
    stop() {
      for (const [application, known] of [...states])
        for (const key of [...known.keys()]) forget(application, key);
    },
  };
}
