// Three suites, one configuration: what differs is what has to run beside them (nothing, a control plane, a node).
import { join } from 'node:path';

// The tests start hundreds of processes of the same code; a process that is killed writes nothing here, all others do.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules', '.cache', 'compile');

const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  setupFilesAfterEnv: ['<rootDir>/test/patience.ts'],
  // A running cluster and built images: not ours to search, and etcd's *.snap are no snapshots of jest.
  modulePathIgnorePatterns: ['<rootDir>/\\.cluster/', '<rootDir>/\\.work/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
};

export default {
  testSequencer: '<rootDir>/test/slowest-first.mjs',
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    { ...base, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.test.ts'] },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
  ],
};
