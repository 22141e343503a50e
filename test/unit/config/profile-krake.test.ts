import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../../src/config/index.ts';

const DIRECTORIES = ['/etc/krake_cert', '/etc/krake_complete_cert', '/etc/krake_shutdown_cert'];

describe('the profile krake', () => {
  const profile = loadConfig({ file: 'manifests/overlays/krake/config.yaml', env: {} });

  it('differs from the defaults in the directories, which Krake’s scripts look for', () => {
    const defaults = loadConfig({ env: {} });
    expect(profile.injection.mountDirectories).toEqual(DIRECTORIES);
    expect(profile).toEqual({
      ...defaults,
      injection: { ...defaults.injection, mountDirectories: DIRECTORIES },
    });
  });

  it('has the names of Krake’s documentation and scripts', () => {
    expect(profile.injection).toMatchObject({
      tokenEnv: ['KRAKE_TOKEN'],
      completeTokenEnv: 'KRAKE_COMPLETE_TOKEN',
      completeUrlEnv: 'KRAKE_COMPLETE_URL',
      shutdownTokenEnv: 'KRAKE_SHUTDOWN_TOKEN',
      shutdownUrlEnv: 'KRAKE_SHUTDOWN_URL',
      caBundleFile: 'ca-bundle.pem',
      certFile: 'cert.pem',
      keyFile: 'key.pem',
    });
  });

  it('is what the guide shows', () => {
    expect(readFileSync('docs/signalling.md', 'utf8')).toContain(`[${DIRECTORIES.join(', ')}]`);
  });
});
