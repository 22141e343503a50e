// A process that campaigns for a Lease and says when it leads: node kube-leader-process.ts KUBECONFIG IDENTITY
import { createKubeClient, createLeaderElector } from '../../src/kube/index.ts';
import { createRecordingLogger } from '../unit/kube/recording-logger.ts';
import { LEASE } from './kube-leader-lease.ts';

const [, , kubeconfigPath = '', identity = ''] = process.argv;
const elector = createLeaderElector({
  ...LEASE,
  client: createKubeClient({ kubeconfigPath, userAgent: 'krake-hooks-test/1' }),
  identity,
  logger: createRecordingLogger(),
  onStartedLeading: () => console.log('leading'),
});
await elector.start(new AbortController().signal);
