import { describeCrashPoints } from './shutdown-crash-points.ts';
import { requestsAndSignals } from './shutdown-scenarios.ts';

describeCrashPoints(requestsAndSignals);
