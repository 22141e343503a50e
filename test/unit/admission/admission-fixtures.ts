import { createRequire } from 'node:module';
import type { Operation as JsonPatchOperation } from 'fast-json-patch';
import { buildAdmissionSettings, review } from '../../../src/admission/index.ts';
import type { AdmissionSettings, Decision } from '../../../src/admission/index.ts';
import { configSchema, type ConfigInput } from '../../../src/config/index.ts';
import type { AdmissionRequest, Operation } from '../../../src/review/index.ts';

// CommonJS inside; its named exports are not seen by every loader.
const { applyPatch } = createRequire(import.meta.url)('fast-json-patch') as typeof import('fast-json-patch');

export function settingsOf(config: ConfigInput = {}): AdmissionSettings {
  return buildAdmissionSettings(configSchema.parse(config));
}

export interface RequestInput {
  readonly object: unknown;
  readonly oldObject?: unknown;
  readonly operation?: Operation;
  readonly namespace?: string;
  readonly uid?: string;
}

/** A request as the API server would make it for the object. */
export function requestFor({ object, oldObject, operation, namespace, uid }: RequestInput): AdmissionRequest {
  const {
    apiVersion = 'v1',
    kind = '',
    metadata,
  } = object as {
    apiVersion?: string;
    kind?: string;
    metadata?: { name?: string };
  };
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return {
    uid: uid ?? '705ab4f5-6393-11e8-b7cc-42010a800002',
    kind: { group, version, kind },
    operation: operation ?? 'CREATE',
    namespace: namespace ?? 'shop',
    name: metadata?.name ?? '',
    subResource: '',
    dryRun: false,
    username: 'kubernetes-admin',
    object,
    oldObject: oldObject ?? null,
  };
}

/** The object with the decision's patch applied, every step checked as RFC 6902 has it; the given one stays as it is. */
export function applied(object: unknown, decision: Decision): unknown {
  if (decision.outcome !== 'patched') return object;
  const operations = structuredClone(decision.operations) as JsonPatchOperation[];
  return applyPatch(structuredClone(object), operations, true, true, true).newDocument;
}

/** Reviews and applies. */
export function admit(
  input: RequestInput,
  settings = settingsOf(),
): { readonly decision: Decision; readonly object: unknown } {
  const decision = review(requestFor(input), settings);
  return { decision, object: applied(input.object, decision) };
}
