import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  buildSecret,
  canBecomeOurs,
  createToken,
  describeSecret,
  readToken,
  sha256,
  type SecretObject,
} from '../../../src/applications/application-secret.ts';
import type { Application } from '../../../src/applications/application.ts';

const app: Application = {
  apiVersion: 'hooks.krake.dev/v1alpha1',
  kind: 'Application',
  metadata: { name: 'deployment-web', namespace: 'shop', uid: 'a1' },
  spec: { workloads: [], hooks: ['complete'], completeAction: 'delete', completeWhen: 'any', auth: 'token' },
  status: { tokenSha256: sha256('canary') },
};

function stored(
  change: Partial<SecretObject> = {},
  metadata: Partial<SecretObject['metadata']> = {},
): SecretObject {
  const built = buildSecret(app, { token: 'canary', certificate: undefined }, 'bundle');
  return {
    ...built,
    ...change,
    metadata: { ...built.metadata, uid: 's1', resourceVersion: '3', ...metadata },
  };
}

describe('a token', () => {
  it('has 256 random bits as base64url', () => {
    const token = createToken(randomBytes);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(createToken(randomBytes)).not.toBe(token);
  });
});

describe('describeSecret', () => {
  it('finds the Secret that it built in order, and holds no token', () => {
    const state = describeSecret(stored(), app, 'bundle');
    expect(state).toEqual({
      state: 'ours',
      uid: 's1',
      resourceVersion: '3',
      tokenSha256: sha256('canary'),
      certificate: undefined,
      inOrder: true,
      deleting: false,
      held: false,
      finalizers: [],
    });
    expect(JSON.stringify(state)).not.toContain('canary');
  });

  it.each<[string, SecretObject, string]>([
    ['another CA bundle', stored(), 'new bundle'],
    ['a label removed', stored({}, { labels: { 'app.kubernetes.io/managed-by': 'krake-hooks' } }), 'bundle'],
    ['the owner removed', stored({}, { ownerReferences: [] }), 'bundle'],
  ])('sees %s', (_what, secret, bundle) => {
    expect(describeSecret(secret, app, bundle)).toMatchObject({ state: 'ours', inOrder: false });
  });

  it('knows its own by label, owner or token, and takes any other for foreign', () => {
    const bare = { labels: {}, ownerReferences: [] };
    expect(describeSecret(stored({}, bare), app, 'bundle').state).toBe('ours');
    expect(describeSecret(stored({ data: {} }, bare), app, 'bundle').state).toBe('foreign');
    expect(describeSecret(undefined, app, 'bundle').state).toBe('absent');
  });

  it('takes a Secret without a token for one whose token is lost', () => {
    expect(describeSecret(stored({ data: {} }), app, 'bundle')).toMatchObject({ tokenSha256: undefined });
  });
});

describe('buildSecret', () => {
  it('keeps what others added, and replaces what is ours', () => {
    const existing = stored(
      { data: { token: 'b2xk', extra: 'eA==' } },
      { labels: { team: 'blue' }, annotations: { note: 'kept' } },
    );
    const built = buildSecret(app, { token: 'canary', certificate: undefined }, 'bundle', existing);
    expect(readToken(built)).toBe('canary');
    expect(built.data).toMatchObject({ extra: 'eA==' });
    expect(built.metadata).toMatchObject({
      uid: 's1',
      resourceVersion: '3',
      labels: { team: 'blue', 'app.kubernetes.io/managed-by': 'krake-hooks' },
      annotations: { note: 'kept' },
    });
  });

  it('is made again where it cannot be changed', () => {
    expect(canBecomeOurs(stored())).toBe(true);
    expect(canBecomeOurs({ ...stored(), immutable: true })).toBe(false);
    expect(canBecomeOurs(stored({ type: 'kubernetes.io/tls' }))).toBe(false);
  });
});
