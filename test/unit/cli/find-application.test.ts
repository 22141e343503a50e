import { describe, expect, it } from '@jest/globals';
import { findApplication, type ApplicationReader } from '../../../src/cli/find-application.ts';
import { KubeApiError } from '../../../src/kube/index.ts';
import { application, requestWorld } from './request-fixtures.ts';

const web = application();
const group = application({
  name: 'shop',
  spec: { workloads: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' }] },
});
const world = requestWorld({ applications: [web, group] });
const find = async (written: string, client: ApplicationReader = world.client) =>
  (await findApplication(client, 'shop', written)).metadata.name;

describe('findApplication', () => {
  it.each([
    ['deployment-web', 'deployment-web'],
    ['deployment/web', 'deployment-web'],
    ['Deployment/web', 'deployment-web'],
    ['deployments/web', 'deployment-web'],
    ['deploy/web', 'deployment-web'],
    // Of a group, which is named by its label.
    ['sts/db', 'shop'],
    ['shop', 'shop'],
  ])('finds %s', async (written, name) => {
    await expect(find(written)).resolves.toBe(name);
  });

  it.each([
    [
      'web',
      'there is no Application "web" in namespace shop; did you mean "deployment-web"? there are deployment-web, shop',
    ],
    ['deployment-wbe', 'did you mean "deployment-web"?'],
    ['db', 'did you mean "shop"?'],
    ['sts/web', 'there is no Application "statefulset-web" in namespace shop'],
    ['zzz', 'in namespace shop; there are deployment-web, shop'],
    ['cronjob/nightly', 'a CronJob is no application'],
    ['cj/nightly', 'a CronJob is no application'],
    ['service/web', '"service" is no kind of workload; there are Deployment, StatefulSet'],
    ['/web', 'is no kind of workload'],
    ['constructor/web', 'is no kind of workload'],
  ])('does not find %s, and says what there is', async (written, problem) => {
    await expect(find(written)).rejects.toThrow(problem);
  });

  it('lists no more than a person reads', async () => {
    const many = Array.from({ length: 30 }, (_, i) =>
      application({ name: `app-${String(i).padStart(2, '0')}` }),
    );
    const { client } = requestWorld({ applications: many });
    await expect(find('zzz', client)).rejects.toThrow('app-08, app-09 and 20 more');
  });

  it('says when there is none, and when krake-hooks is not installed', async () => {
    await expect(find('web', requestWorld({ applications: [] }).client)).rejects.toThrow(
      'there is none at all',
    );
    const bare: ApplicationReader = {
      get: () => Promise.resolve(undefined),
      list: () => Promise.reject(new KubeApiError('the server could not find it', 404, 'NotFound')),
    };
    await expect(find('web', bare)).rejects.toThrow('krake-hooks is not installed');
  });

  it('passes on what else is wrong', async () => {
    const refused: ApplicationReader = {
      get: () => Promise.reject(new KubeApiError('forbidden', 403, 'Forbidden')),
      list: () => Promise.reject(new Error('never asked')),
    };
    await expect(find('web', refused)).rejects.toThrow('forbidden');
  });
});
