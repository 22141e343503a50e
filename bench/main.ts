// `make bench`: every part in one run, then the targets. `node bench/main.ts PART… [--quick]`. Exit code 1 only when something did not run:
// whether a target is reached depends on the machine's mood, and is for a reader to judge.
import { benchAdmission } from './admission.ts';
import { benchCallbacks } from './callbacks.ts';
import { benchClientCertificates } from './client-certificates.ts';
import { benchController } from './controller.ts';
import { benchGateOnNode } from './gate-on-node.ts';
import { benchJobWebhooks } from './job-webhooks.ts';
import { benchHandshakes } from './handshakes.ts';
import { benchPods } from './pods.ts';
import { printVerdicts, type Verdict } from './report.ts';
import { benchSecretsAtOnce } from './secrets-at-once.ts';
import { benchShutdown } from './shutdown.ts';

const PARTS: Readonly<Record<string, (quick: boolean) => Promise<Verdict[]>>> = {
  admission: benchAdmission,
  pods: benchPods,
  callbacks: benchCallbacks,
  handshakes: benchHandshakes,
  'client-certificates': benchClientCertificates,
  controller: benchController,
  secrets: benchSecretsAtOnce,
  'job-webhooks': benchJobWebhooks,
  shutdown: benchShutdown,
  'gate-on-node': benchGateOnNode,
};

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const asked = words.filter((word) => word !== '--quick');
const unknown = asked.filter((word) => PARTS[word] === undefined);
if (unknown.length > 0) {
  console.error(`unknown part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(1);
}

const verdicts: Verdict[] = [];
for (const [name, run] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n━━ ${name} ━━`);
  verdicts.push(...(await run(quick)));
}
printVerdicts(verdicts);
