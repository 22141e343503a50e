// The floor of the benchmarks of admission and of the gate, as a process of its own: `node floor-server.ts bare|express CERT KEY PATCH_FILE`,
// or `validating CERT KEY`, which says yes and patches nothing. Prints its port.
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import express from 'express';

const [kind, certFile = '', keyFile = '', patchFile = ''] = process.argv.slice(2);
const answered =
  kind === 'validating' ? {} : { patchType: 'JSONPatch', patch: readFileSync(patchFile, 'utf8') };

interface Review {
  readonly request: { readonly uid: string };
}

function answer(review: Review): string {
  const response = { uid: review.request.uid, allowed: true, ...answered };
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response });
}

function bare(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = answer(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Review);
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  });
}

function withExpress(): express.Express {
  const app = express();
  app.use(express.json({ limit: '7mb' }));
  app.post('/mutate', (request, response) => {
    response.type('application/json').send(answer(request.body as Review));
  });
  return app;
}

const server = createServer(
  { cert: readFileSync(certFile), key: readFileSync(keyFile), keepAlive: true },
  kind === 'express' ? withExpress() : bare,
);
server.keepAliveTimeout = 90_000;
server.listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port);
});
