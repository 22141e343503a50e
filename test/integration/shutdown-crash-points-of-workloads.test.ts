import { describeCrashPoints } from './shutdown-crash-points.ts';
import { removalsOfWorkloads } from './shutdown-scenarios.ts';

describeCrashPoints(removalsOfWorkloads);
