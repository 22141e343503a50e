// The order of the test files. Jest itself begins with the largest, which are not the slowest: a small file that takes minutes would come last, with nothing
// left to run beside it.
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Of the integration tests; they take minutes, the first of them the most. */
const SLOW = [
  'shutdown-crash-points-of-pods',
  'shutdown-crash-points-of-workloads',
  'shutdown-crash-points-of-requests',
  'shutdown-interruptions',
  'uninstall-kubectl',
  'uninstall',
  'pki-rotation',
  'jobs-load',
  'canary',
  'jobs-faults',
];

const rankOf = ({ path }) => {
  const place = basename(dirname(path)) === 'integration' ? SLOW.indexOf(basename(path, '.test.ts')) : -1;
  return place < 0 ? SLOW.length : place;
};

/** A jest test sequencer (`testSequencer`); it remembers nothing of former runs, so that the order is the same everywhere. */
export default class SlowestFirst {
  sort(tests) {
    const sizes = new Map(tests.map(({ path }) => [path, statSync(path).size]));
    return tests.toSorted((a, b) => rankOf(a) - rankOf(b) || sizes.get(b.path) - sizes.get(a.path));
  }

  allFailedTests(tests) {
    return tests;
  }

  cacheResults() {
    return undefined;
  }
}
