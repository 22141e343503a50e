// Before each file: a machine that is busy, or stands still for some seconds, fails no test. Where the limit itself proves something, a file or a test
// sets its own.
import { jest } from '@jest/globals';

jest.setTimeout(120_000);
