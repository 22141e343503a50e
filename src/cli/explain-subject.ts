import { parseAllDocuments } from 'yaml';
import { isWorkloadKind, WORKLOAD_KINDS, type WorkloadKind } from '../contract/index.ts';

export interface Metadata {
  readonly name?: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Container {
  readonly name: string;
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string } };
  }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface PodTemplate {
  readonly metadata?: Metadata;
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly projected?: {
        readonly sources?: readonly { readonly serviceAccountToken?: { readonly audience?: string } }[];
      };
    }[];
    readonly securityContext?: { readonly fsGroup?: number };
  };
}

/** A workload of a manifest, as far as `explain` reads it. */
export interface Subject {
  readonly apiVersion: string;
  readonly kind: WorkloadKind;
  readonly metadata: Metadata;
  readonly spec?: {
    readonly template?: PodTemplate;
    readonly jobTemplate?: {
      readonly metadata?: Metadata;
      readonly spec: { readonly template: PodTemplate };
    };
  };
}

export type Document = { readonly subject: Subject } | { readonly skipped: string };

/** The documents of a manifest: those that hooks apply to, and for each other one why not. @throws Error for text that is no YAML */
export function readSubjects(text: string): Document[] {
  return parseAllDocuments(text).flatMap((document): Document[] => {
    const problem = document.errors[0];
    if (problem !== undefined) throw new Error(`not valid YAML: ${problem.message}`);
    const value = document.toJS() as unknown;
    if (value === null) return [];
    return items(value).map(toDocument);
  });
}

function items(value: unknown): unknown[] {
  const list = (value as { kind?: unknown; items?: unknown }).items;
  return (value as { kind?: unknown }).kind === 'List' && Array.isArray(list) ? (list as unknown[]) : [value];
}

function toDocument(value: unknown): Document {
  const { apiVersion, kind, metadata } = value as Partial<Record<'apiVersion' | 'kind', unknown>> & {
    metadata?: unknown;
  };
  if (
    typeof apiVersion !== 'string' ||
    typeof kind !== 'string' ||
    typeof metadata !== 'object' ||
    metadata === null
  ) {
    return { skipped: 'a document without apiVersion, kind or metadata' };
  }
  const name = (metadata as Metadata).name ?? `${(metadata as Metadata).generateName ?? ''}*`;
  if (!isWorkloadKind(kind) || WORKLOAD_KINDS[kind].apiVersion !== apiVersion) {
    return { skipped: `${kind} ${name}: hooks do not apply to this kind` };
  }
  return { subject: value as Subject };
}
