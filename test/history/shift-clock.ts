// Loaded before a process's own code (node --import): its wall clock goes wrong by as many ms as stand in the file that the URL names, and changes
// while it runs, as a clock does that somebody sets. What is measured by performance.now() and timers stays as it is.
import { readFileSync } from 'node:fs';

const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const RealDate = Date;
const LOOK_EVERY_MS = 20;

let shiftMs = 0;
function look(): void {
  try {
    shiftMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    // Not there yet: the clock is right.
  }
}
look();
setInterval(look, LOOK_EVERY_MS).unref();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: [] | ConstructorParameters<typeof Date>) =>
    args.length > 0
      ? new target(...(args as ConstructorParameters<typeof Date>))
      : new target(target.now() + shiftMs),
  get: (target, name) =>
    name === 'now' ? () => target.now() + shiftMs : (Reflect.get(target, name) as unknown),
});
