// A stateful application: it counts, and what it has counted is in its memory alone. Asked to shut down, it saves its count in a state store
// and says goodbye. On SIGTERM it saves nothing: whoever ends it without asking loses what it has counted, and the store shows that.
import { spawn } from 'node:child_process';
import { createHmac, timingSafeEqual, verify, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const setting = (name: string, byDefault: string): string => process.env[name] ?? byDefault;
const store = setting('STATE_STORE', 'http://store.krake-stateful-store');
const who = {
  namespace: setting('NAMESPACE', 'default'),
  app: setting('APP', 'counter'),
  pod: setting('POD_NAME', setting('HOSTNAME', '')),
};
/** What the state is kept under: pods that succeed one another share it. */
const key = setting('STATE_KEY', who.app);
const saveMs = Number(setting('SAVE_MS', '500'));
/** When the call is answered: `after` the work is done, or `before` it, as some services of Krake do. */
const answers = setting('ANSWERS', 'after');
/** `never`: forgets to say goodbye; `second`: remembers when it is asked again; or the names of the pods that do not forget. */
const confirms = setting('CONFIRMS', 'always');
const checksSignature = setting('CHECKS_SIGNATURE', 'no') === 'yes';
/** Its work is done after so long; 0: never. */
const endsAfterMs = Number(setting('ENDS_AFTER_MS', '0'));
const tlsDirectory = process.env['TLS_DIRECTORY'];
const SIGNATURE_TOLERANCE_SECONDS = 300;

/** With `auth: pod-identity` there is no token that it shares with krake-hooks, but one of its pod, in a file that is replaced now and then. */
const hasPodIdentity = process.env['KRAKE_TOKEN_FILE'] !== undefined;
const CA_BUNDLE = '/etc/krake_cert/ca-bundle.pem';
/** Names the controller of krake-hooks in its certificate. */
const CONTROLLER = 'URI:spiffe://hooks.krake.dev/controller';

const PROOF = hasPodIdentity
  ? '-H "Authorization: Bearer $(cat "$KRAKE_TOKEN_FILE")"'
  : '-d "{\\"token\\":\\"$KRAKE_TOKEN\\"}" --cert /etc/krake_cert/cert.pem --key /etc/krake_cert/key.pem';
/** The goodbye, as the documentation has it: one curl, which says it again while nobody takes it. */
const GOODBYE = `curl --retry 5 --retry-connrefused --silent --show-error --fail-with-body --write-out ' HTTP %{http_code}' \
-X PUT "$KRAKE_SHUTDOWN_URL" --cacert ${CA_BUNDLE} ${PROOF}`;

let count = 0;
let goodbyes = 0;
/** Once its state is saved it counts no more: that would be lost. */
let rests = false;

/** What happens is told to the store, which gives it its time: one clock for all pods. */
async function tell(event: string, detail: object = {}): Promise<void> {
  const entry = JSON.stringify({ event, ...who, key, count, ...detail });
  await fetch(`${store}/journal`, { method: 'POST', body: entry, signal: AbortSignal.timeout(20_000) });
}

async function saveAndSayGoodbye(): Promise<void> {
  await sleep(saveMs);
  rests = true;
  await tell('saved');
  if (forgets()) return;
  await tell('confirmed', { answer: await sayGoodbye() });
}

function forgets(): boolean {
  goodbyes++;
  if (confirms === 'always') return false;
  return confirms === 'second' ? goodbyes < 2 : !confirms.split(',').includes(who.pod);
}

function sayGoodbye(): Promise<string> {
  return new Promise((resolve) => {
    const curl = spawn('sh', ['-c', GOODBYE], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [curl.stdout, curl.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    }
    curl.on('error', (error) => resolve(error.message));
    curl.on('close', () => resolve(output.trim()));
  });
}

/** Standard Webhooks: a signature of "id.timestamp.body", by the token of the application or by the key of the controller's certificate. */
function isSigned(headers: IncomingMessage['headers'], body: string): boolean {
  const [id, timestamp, signatures = ''] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => String(headers[name] ?? ''),
  );
  const age = Math.abs(Date.now() / 1_000 - Number(timestamp));
  if (!(age <= SIGNATURE_TOLERANCE_SECONDS)) return false;
  const content = Buffer.from(`${id}.${timestamp}.${body}`);
  const signaturesOf = (version: string): Buffer[] =>
    signatures
      .split(' ')
      .filter((signature) => signature.startsWith(`${version},`))
      .map((signature) => Buffer.from(signature.slice(version.length + 1), 'base64'));
  if (!hasPodIdentity) return signaturesOf('v1').some((given) => isByToken(content, given));
  const certificate = readController(String(headers['krake-certificate']));
  return (
    certificate !== undefined &&
    signaturesOf('v1a').some((given) => verify(null, content, certificate.publicKey, given)) &&
    isForUs(body)
  );
}

/** HMAC-SHA256 with the bytes that the token encodes. */
function isByToken(content: Buffer, given: Buffer): boolean {
  const secret = Buffer.from(setting('KRAKE_TOKEN', ''), 'base64url');
  const expected = createHmac('sha256', secret).update(content).digest();
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The certificate that comes with the call, if it is the controller's, by one of the CAs that we were given. */
function readController(base64: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(Buffer.from(base64, 'base64'));
    // The bundle follows its CAs: read each time.
    const bundle = readFileSync(CA_BUNDLE, 'utf8').match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g) ?? [];
    const isByOurs = bundle
      .map((pem) => new X509Certificate(pem))
      .some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
    const now = new Date();
    const isValidNow = certificate.validFromDate <= now && now <= certificate.validToDate;
    return isByOurs && isValidNow && certificate.subjectAltName === CONTROLLER ? certificate : undefined;
  } catch {
    return undefined; // no certificate
  }
}

/** The controller signs for all applications alike: one of them could pass on what it was told itself. */
function isForUs(body: string): boolean {
  try {
    const { confirm } = JSON.parse(body) as { readonly confirm?: unknown };
    return confirm === process.env['KRAKE_SHUTDOWN_URL'];
  } catch {
    return false;
  }
}

async function shutDown(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const signed = isSigned(request.headers, body);
  await tell('asked', { signed, body: body.slice(0, 4_096), path: request.url });
  if (checksSignature && !signed) {
    response.writeHead(401).end('not signed by who knows my token');
    return;
  }
  const answer = (): unknown =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Goodbye</body></html>');
  if (answers === 'before') answer();
  await saveAndSayGoodbye();
  if (answers !== 'before') answer();
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const fail = (error: unknown): void => {
    console.error(error);
    response.destroy();
  };
  if (request.method === 'PUT' && request.url === '/goodbye') {
    // Nobody of the cluster has asked: its own decision.
    saveAndSayGoodbye().then(() => response.end('said\n'), fail);
  } else if (request.method === 'PUT') shutDown(request, response).catch(fail);
  else response.end(`${count}\n`);
}

async function resume(): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    try {
      const answer = await fetch(`${store}/state/${who.namespace}/${key}`, {
        signal: AbortSignal.timeout(2_000),
      });
      if (answer.ok) count = Number(await answer.text());
      await tell('started');
      return;
    } catch {
      await sleep(500); // the store is not there yet
    }
  }
  throw new Error(`no state store at ${store}`);
}

process.on('SIGTERM', () => {
  void tell('terminated').finally(() => process.exit(0));
});
await resume();
setInterval(() => {
  if (!rests) count++;
}, 100);
if (endsAfterMs > 0) setTimeout(() => process.exit(0), endsAfterMs);
const server =
  tlsDirectory === undefined
    ? createServer(serve)
    : createTlsServer(
        { cert: readFileSync(`${tlsDirectory}/tls.crt`), key: readFileSync(`${tlsDirectory}/tls.key`) },
        serve,
      );
server.listen(Number(setting('PORT', '8080')));
