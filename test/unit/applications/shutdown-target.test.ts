import { describe, expect, it } from '@jest/globals';
import { parseShutdownService } from '../../../src/contract/index.ts';
import { describePod } from '../../../src/applications/shutdown/live-pod.ts';
import {
  formerTarget,
  rememberTarget,
  selectorToRead,
  serviceTarget,
  type ServiceObject,
} from '../../../src/applications/shutdown/shutdown-target.ts';

type Spec = NonNullable<ServiceObject['spec']>;

const WANTED = parseShutdownService('saver');
const SELECTOR = { app: 'db' };

function pod(name: string, port: number, phase = 'Running') {
  const ports = [{ name: 'http', containerPort: port }];
  const metadata = { name, uid: name, creationTimestamp: '2026-11-21T08:00:00Z' };
  return describePod({ metadata, spec: { containers: [{ ports }] }, status: { phase } });
}

function targetOf(spec: Spec, pods: ReturnType<typeof pod>[] = []) {
  if (WANTED === undefined) throw new Error('no shutdown service');
  const service = { metadata: { name: 'saver' }, spec };
  return { ...serviceTarget(WANTED, 'shop', service, pods), reads: selectorToRead(WANTED, service) };
}

describe('where a Service is called', () => {
  it('is its cluster address and its own port', () => {
    const ports = [{ port: 80, targetPort: 'http' }];
    expect(targetOf({ clusterIP: '10.96.0.7', selector: SELECTOR, ports })).toEqual({
      url: 'http://saver.shop.svc:80/shutdown',
      connectTo: { address: '10.96.0.7', port: 80 },
      reads: undefined,
    });
  });

  it.each([
    ['a number', [{ port: 80, targetPort: 8080 }], SELECTOR, 8080],
    ['the same', [{ port: 8080 }], SELECTOR, 8080],
    ['a name, and no selector says which pods', [{ port: 80, targetPort: 'http' }], undefined, 80],
  ])('is, headless, its name and the port of its pods: %s', (_what, ports, selector, port) => {
    const found = targetOf({ clusterIP: 'None', ...(selector && { selector }), ports });
    const url = `http://saver.shop.svc:${port}/shutdown`;
    expect(found).toEqual({ url, connectTo: undefined, reads: undefined });
  });

  it('is, headless with a named port, the one that a running pod calls so', () => {
    const spec = { clusterIP: 'None', selector: SELECTOR, ports: [{ port: 80, targetPort: 'http' }] };
    expect(targetOf(spec, [pod('db-0', 9090, 'Failed'), pod('db-1', 8080)])).toEqual({
      url: 'http://saver.shop.svc:8080/shutdown',
      connectTo: undefined,
      reads: SELECTOR,
    });
    expect(targetOf(spec)).toMatchObject({
      error: 'no running pod of the Service saver has a container port named http',
    });
  });

  it('is its name and the port of the annotation where the Service names no port: ExternalName, headless', () => {
    const wanted = parseShutdownService('saver:8080');
    if (wanted === undefined) throw new Error('no shutdown service');
    const metadata = { name: 'saver' };
    const url = 'http://saver.shop.svc:8080/shutdown';
    for (const spec of [{ type: 'ExternalName' }, { clusterIP: 'None', selector: SELECTOR }])
      expect(serviceTarget(wanted, 'shop', { metadata, spec }, [])).toEqual({ url, connectTo: undefined });
    expect(targetOf({ type: 'ExternalName' })).toMatchObject({ error: 'the Service saver has no TCP port' });
    const withAddress = { metadata, spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }] } };
    expect(serviceTarget(wanted, 'shop', withAddress, [])).toEqual({
      error: 'the Service saver has no port 8080',
    });
  });
});

describe('where a Service led that is gone', () => {
  it('a pod that runs of its selector, whosever it is, is called with its port', () => {
    if (WANTED === undefined) throw new Error('no shutdown service');
    const spec = { selector: SELECTOR, ports: [{ port: 80, targetPort: 'http' }] };
    const former = rememberTarget(WANTED, { metadata: { name: 'saver' }, spec });
    const at = (address: string, one: ReturnType<typeof pod>) => ({ ...one, address });
    const pods = [at('10.1.0.1', pod('a', 9090, 'Failed')), at('10.1.0.2', pod('b', 8080))];
    expect(formerTarget(WANTED, 'shop', former, pods)).toEqual({
      url: 'http://saver.shop.svc:80/shutdown',
      connectTo: { address: '10.1.0.2', port: 8080 },
    });
    const missing = { error: 'there is no Service saver in the namespace' };
    expect(formerTarget(WANTED, 'shop', former, [])).toEqual(missing);
    expect(formerTarget(WANTED, 'shop', undefined, pods)).toEqual(missing);
  });
});
