import { OPERATIONS, type AdmissionRequest, type Operation } from './admission-request.ts';
import type { JsonObject } from './object-shape.ts';

/** The one version that is spoken; v1beta1 has been gone from Kubernetes since 1.22. */
export const REVIEW_API_VERSION = 'admission.k8s.io/v1';
const REVIEW_KIND = 'AdmissionReview';

export type ParsedReview =
  | { readonly outcome: 'review'; readonly request: AdmissionRequest }
  /** `detail` names the field that is wrong, and nothing of what was sent. */
  | { readonly outcome: 'invalid'; readonly detail: string };

/** Reads an AdmissionReview that came as JSON. Only the envelope is checked here, by hand: a schema library costs more than the whole review. */
export function parseReview(value: unknown): ParsedReview {
  if (!isObject(value)) return invalid('The body is no object.');
  if (value.kind !== REVIEW_KIND) return invalid(`kind must be ${REVIEW_KIND}.`);
  if (value.apiVersion !== REVIEW_API_VERSION) {
    return invalid(
      `apiVersion must be ${REVIEW_API_VERSION}: set admissionReviewVersions of the webhook to [v1].`,
    );
  }
  return isObject(value.request) ? parseRequest(value.request) : invalid('request must be an object.');
}

function parseRequest(request: JsonObject): ParsedReview {
  const { uid, operation, namespace, name, subResource } = request;
  if (typeof uid !== 'string' || uid === '')
    return invalid('request.uid must be a string that is not empty.');
  const kind = parseKind(request.kind);
  if (kind === undefined) return invalid('request.kind must have group, version and kind.');
  if (!isOperation(operation)) return invalid(`request.operation must be one of ${OPERATIONS.join(', ')}.`);
  if (!isText(namespace) || !isText(name) || !isText(subResource)) {
    return invalid('request.namespace, name and subResource must be strings.');
  }
  return {
    outcome: 'review',
    request: {
      uid,
      kind,
      operation,
      namespace: namespace ?? '',
      name: name ?? '',
      subResource: subResource ?? '',
      dryRun: request.dryRun === true,
      username: usernameOf(request.userInfo),
      object: request.object,
      oldObject: request.oldObject,
    },
  };
}

/** Empty when it is not said: whoever asks is then like anybody. */
function usernameOf(userInfo: unknown): string {
  return isObject(userInfo) && typeof userInfo.username === 'string' ? userInfo.username : '';
}

function parseKind(value: unknown): AdmissionRequest['kind'] | undefined {
  if (!isObject(value)) return undefined;
  const { group, version, kind } = value;
  if (!isText(group) || !isText(version) || typeof kind !== 'string') return undefined;
  return { group: group ?? '', version: version ?? '', kind };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Absent and null stand for an empty string, as Go leaves one out. */
function isText(value: unknown): value is string | null | undefined {
  return value === undefined || value === null || typeof value === 'string';
}

function isOperation(value: unknown): value is Operation {
  return (OPERATIONS as readonly unknown[]).includes(value);
}

function invalid(detail: string): ParsedReview {
  return { outcome: 'invalid', detail };
}
