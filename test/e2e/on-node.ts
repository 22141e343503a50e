import { describe } from '@jest/globals';

// A node needs root on Linux. Without one nothing here is passed: it is skipped, loudly.
const hasNode = process.platform === 'linux' && process.getuid?.() === 0;
if (!hasNode) console.warn('SKIPPED: the end-to-end tests need a node that runs containers: Linux and root');

/** `describe` where pods can run. */
export const onNode = hasNode ? describe : describe.skip;
