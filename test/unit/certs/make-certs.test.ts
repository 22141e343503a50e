import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parseCertificateFiles } from '../../../src/pki/certificate-files.ts';

jest.setTimeout(60_000);

const script = join(import.meta.dirname, '../../../certs/make-certs.ts');
const names = { dnsNames: ['hooks.test', 'localhost'], ipAddresses: ['127.0.0.1', '::1'] };
let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'krake-hooks-certs-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function run(...args: string[]): string {
  return execFileSync(process.execPath, [script, '--out', dir, ...args], { encoding: 'utf8', stdio: 'pipe' });
}

function read(file: string): string {
  return readFileSync(join(dir, file), 'utf8');
}

/** What the service itself says of the files. */
function check(name: string) {
  const texts = { cert: read(`${name}.crt`), key: read(`${name}.key`), ca: read('ca.crt') };
  return parseCertificateFiles(texts, { certFile: 'cert', keyFile: 'key', caFile: 'ca' }, Date.now());
}

describe('make-certs', () => {
  it('makes certificates that the service takes, with and without intermediate, and keeps the CA when run again', () => {
    const list = [...names.dnsNames, ...names.ipAddresses].join(',');
    expect(run('--names', list)).toContain('ca.crt (new)');
    expect(check('tls').missingNames(names)).toEqual([]);
    expect(check('tls-chain').missingNames(names)).toEqual([]);
    expect(read('tls-chain.crt').match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(statSync(join(dir, 'tls.key')).mode & 0o777).toBe(0o600);
    const ca = read('ca.crt');
    const leaf = read('tls.crt');

    expect(run('--names', list)).toContain('ca.crt (kept)');
    expect(read('ca.crt')).toBe(ca);
    expect(read('tls.crt')).not.toBe(leaf);
    expect(new X509Certificate(read('tls.crt')).checkIssued(new X509Certificate(ca))).toBe(true);
    check('tls');
    check('tls-chain');

    expect(run('--names', list, '--new-ca')).toContain('ca.crt (new)');
    expect(read('ca.crt')).not.toBe(ca);
    check('tls-chain');
  });

  it('says what is wrong with its arguments', () => {
    expect(() => run('--names', ' , ')).toThrow('give at least one DNS name');
    expect(() => run('--days', 'many')).toThrow('"many" is no number of days');
  });
});
