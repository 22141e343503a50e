import type { FailureReason } from './outbound-caller.ts';

const MAX_MESSAGE_LENGTH = 200;

/** Ends a call; its message is the one that the result shows. Never leaves this area. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message.slice(0, MAX_MESSAGE_LENGTH), options);
    this.reason = reason;
  }
}
