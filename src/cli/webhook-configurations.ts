import type { Config } from '../config/index.ts';
import type { WebhookConfigurationRef } from '../pki/index.ts';

/** Where the API server is told to ask admission. */
export function admissionWebhooks({ admission }: Pick<Config, 'admission'>): WebhookConfigurationRef {
  return { kind: 'MutatingWebhookConfiguration', name: admission.mutatingWebhookConfiguration };
}

/** Where it is told to ask the gate; an installation without the gate has none. */
export function gateWebhooks({ gate }: Pick<Config, 'gate'>): WebhookConfigurationRef {
  return { kind: 'ValidatingWebhookConfiguration', name: gate.validatingWebhookConfiguration };
}
