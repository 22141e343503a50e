import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfigError, listConfigKeys, loadConfig } from '../../../src/config/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'krake-hooks-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(text: string): string {
  const path = join(directory, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(path, text);
  return path;
}

describe('loadConfig', () => {
  it('has a default for everything that is required', () => {
    const config = loadConfig({ env: {} });
    expect(config.parts).toEqual(['admission', 'gate', 'callbacks', 'controller']);
    expect(config.admission.deadline).toBe(2_500);
    expect(config.callbacks.externalEndpoint).toBeUndefined();
  });

  it('takes flags over the environment over the file', () => {
    const config = loadConfig({
      file: file('controller:\n  workers: 1\n  finishedTtl: 1m\n  leaseName: from-file\n'),
      env: { KRAKE_HOOKS_CONTROLLER_WORKERS: '2', KRAKE_HOOKS_CONTROLLER_FINISHED_TTL: '2m' },
      flags: { 'controller.workers': '3' },
    });
    expect(config.controller).toMatchObject({ workers: 3, finishedTtl: 120_000, leaseName: 'from-file' });
  });

  it('has one environment variable for each key, and each can be read', () => {
    const keys = listConfigKeys();
    expect(new Set(keys.map((key) => key.env)).size).toBe(keys.length);
    expect(
      loadConfig({ env: { KRAKE_HOOKS_INJECTION_MOUNT_DIRECTORIES: '/a, /b' } }).injection.mountDirectories,
    ).toEqual(['/a', '/b']);
    expect(loadConfig({ env: { KRAKE_HOOKS_PKI_PATCH_CA_BUNDLE: 'false' } }).pki.patchCaBundle).toBe(false);
  });

  it('documents every key', () => {
    for (const key of listConfigKeys()) expect(`${key.path}: ${key.description}`).toMatch(/: .{10,}/);
  });

  it('ignores the variables that Kubernetes makes for Services of the same name', () => {
    const env = {
      KRAKE_HOOKS_ADMISSION_PORT: 'tcp://10.96.0.7:443',
      KRAKE_HOOKS_ADMISSION_SERVICE_HOST: '10.96.0.7',
      KRAKE_HOOKS_ADMISSION_SERVICE_PORT_HTTPS: '443',
      KRAKE_HOOKS_ADMISSION_PORT_443_TCP_ADDR: '10.96.0.7',
    };
    expect(loadConfig({ env }).admission.port).toBe(8443);
  });

  it.each<[string, Parameters<typeof loadConfig>[0], string]>([
    ['an unknown variable', { env: { KRAKE_HOOKS_LOGLEVEL: 'info' } }, 'did you mean KRAKE_HOOKS_LOG_LEVEL?'],
    ['an unknown flag', { env: {}, flags: { 'pki.trustdelay': '1s' } }, 'did you mean pki.trustDelay?'],
    [
      'a wrong duration',
      { env: { KRAKE_HOOKS_SHUTDOWN_DELAY: 'soon' } },
      'shutdownDelay: "soon" is no duration',
    ],
    [
      'a wrong number',
      { env: { KRAKE_HOOKS_HEALTH_PORT: 'http' } },
      'KRAKE_HOOKS_HEALTH_PORT must be a number',
    ],
    [
      'a wrong endpoint',
      { env: { KRAKE_HOOKS_CALLBACKS_EXTERNAL_ENDPOINT: 'ftp://x' } },
      'callbacks.externalEndpoint',
    ],
    [
      'two files of one name',
      { env: { KRAKE_HOOKS_INJECTION_KEY_FILE: 'token' } },
      'caBundleFile, certFile and keyFile must differ',
    ],
    [
      'a directory inside another',
      { env: { KRAKE_HOOKS_INJECTION_MOUNT_DIRECTORIES: '/etc/krake_cert,/var/run' } },
      'must not be the same or inside each other',
    ],
    ['a missing file', { file: join(directory, 'none.yaml'), env: {} }, 'cannot read the configuration file'],
  ])('refuses %s and says where', (_what, sources, message) => {
    expect(() => loadConfig(sources)).toThrow(ConfigError);
    expect(() => loadConfig(sources)).toThrow(message);
  });

  it('wants a namespace for the job families', () => {
    const flags = { 'jobs.familiesFile': '/families.yaml' };
    expect(() => loadConfig({ env: {}, flags })).toThrow(
      'jobs.familiesNamespace: is needed with familiesFile',
    );
    for (const where of ['jobs.familiesNamespace', 'jobs.anonymousNamespaces'])
      expect(loadConfig({ env: {}, flags: { ...flags, [where]: 'shop' } }).jobs.familiesFile).toBe(
        '/families.yaml',
      );
  });

  it('refuses an unknown key in the file', () => {
    expect(() => loadConfig({ file: file('controler:\n  workers: 1\n'), env: {} })).toThrow('controler');
  });
});
