import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Who the API server is to webhooks, by the name under which it looks a user up: `SERVICE.NAMESPACE.svc:PORT` (without the port when that is
 * 443), `*.NAMESPACE.svc:PORT`, or `*` for all. A webhook that is called by URL: `HOST:PORT` of the URL.
 */
export type WebhookUsers = Readonly<Record<string, { readonly cert: string; readonly key: string }>>;

const API_VERSION = 'apiserver.config.k8s.io/v1';

/** Writes what `--admission-control-config-file` reads, and returns the flag. JSON is YAML. */
export const writeWebhookUsers = async (dir: string, webhookUsers: WebhookUsers): Promise<string> => {
  const kubeConfigFile = join(dir, 'webhook-users.kubeconfig');
  const admissionConfigFile = join(dir, 'admission-configuration.yaml');
  const users = Object.entries(webhookUsers).map(([name, { cert, key }]) => ({
    name,
    user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) },
  }));
  const plugins = ['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook'].map((name) => ({
    name,
    configuration: { apiVersion: API_VERSION, kind: 'WebhookAdmissionConfiguration', kubeConfigFile },
  }));
  await write(kubeConfigFile, { apiVersion: 'v1', kind: 'Config', users });
  await write(admissionConfigFile, { apiVersion: API_VERSION, kind: 'AdmissionConfiguration', plugins });
  return `--admission-control-config-file=${admissionConfigFile}`;
};

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const write = (path: string, content: object): Promise<void> =>
  writeFile(path, JSON.stringify(content, null, 2), { mode: 0o600 });
