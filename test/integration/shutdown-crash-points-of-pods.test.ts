import { describeCrashPoints } from './shutdown-crash-points.ts';
import { removalsOfPods } from './shutdown-scenarios.ts';

describeCrashPoints(removalsOfPods);
