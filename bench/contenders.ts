import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { writeCertificate } from './certificate.ts';
import { realisticReview } from './realistic-review.ts';
import { startServer, type ServerProcess } from './server-process.ts';

export interface Contender {
  readonly name: 'bare node:https' | 'express' | 'krake-hooks';
  readonly server: ServerProcess;
  readonly url: string;
}

/**
 * The three servers, all with one certificate. The floors answer the very patch that ours has computed for the realistic review, so all
 * three send the same number of bytes.
 */
export async function startContenders(
  directory: string,
): Promise<{ contenders: Contender[]; caPem: string }> {
  const { certFile, keyFile, certPem } = await writeCertificate(directory);
  const ours = await startServer('ours-server.ts', [certFile, keyFile]);
  const urlOf = (server: ServerProcess) => `https://127.0.0.1:${server.port}/mutate`;
  const patchFile = join(directory, 'patch');
  writeFileSync(patchFile, await patchOf(urlOf(ours)));
  const bare = await startServer('floor-server.ts', ['bare', certFile, keyFile, patchFile]);
  const express = await startServer('floor-server.ts', ['express', certFile, keyFile, patchFile]);
  return {
    caPem: certPem,
    contenders: [
      { name: 'bare node:https', server: bare, url: urlOf(bare) },
      { name: 'express', server: express, url: urlOf(express) },
      { name: 'krake-hooks', server: ours, url: urlOf(ours) },
    ],
  };
}

function patchOf(url: string): Promise<string> {
  const body = realisticReview('00000000-0000-4000-8000-000000000000');
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const call = request(url, { method: 'POST', rejectUnauthorized: false, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      response.on('end', () => {
        const { response: answer } = JSON.parse(text) as { response: { patch?: string } };
        if (answer.patch === undefined)
          reject(new Error(`no patch in the answer to the realistic review: ${text.slice(0, 300)}`));
        else resolve(answer.patch);
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}
