export * from './outbound-caller.ts';
