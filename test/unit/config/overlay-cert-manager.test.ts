import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../../src/config/index.ts';
import { servingNames } from '../../../src/pki/index.ts';

const FOLDER = 'manifests/overlays/cert-manager';

interface Certificate {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly dnsNames?: readonly string[] };
}

it('cert-manager’s certificate has all names of each part that can serve TLS', () => {
  const config = loadConfig({ file: `${FOLDER}/config.yaml`, env: {} });
  const services = Object.values(config).flatMap((section) =>
    typeof section === 'object' && 'serviceName' in section ? [section.serviceName] : [],
  );
  expect(services).toHaveLength(4);
  const documents = parseAllDocuments(readFileSync(`${FOLDER}/certificate.yaml`, 'utf8'));
  const certificate = documents
    .map((document) => document.toJS() as Certificate)
    .find(({ kind, metadata }) => kind === 'Certificate' && metadata.name === 'krake-hooks');
  const names = services.flatMap((serviceName) => {
    const { dnsNames } = servingNames({ serviceName, namespace: config.namespace, extraNames: [] });
    return dnsNames;
  });
  expect(certificate?.spec.dnsNames?.toSorted()).toEqual(names.toSorted());
});
