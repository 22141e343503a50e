import { parseHookAnnotations, secretName } from '../contract/index.ts';
import type { Container, PodTemplate } from './explain-subject.ts';

/** Names that admission gives its volumes. */
const OUR_VOLUMES = ['krake-hooks', 'krake-hooks-token'];

/** What an injected pod shows and which of its containers have it, in lines for a person. */
export function describePod(template: PodTemplate, application: string): string[] {
  const { containers, initContainers = [], securityContext } = template.spec;
  const { auth } = parseHookAnnotations(template.metadata?.annotations);
  const proof =
    auth === 'token'
      ? 'the token and the certificate in the Secret'
      : `its pod's own token, for ${audienceOf(template) ?? 'no audience'}`;
  return [
    `proof: ${auth} (${proof})`,
    ...(auth === 'token' && securityContext?.fsGroup !== undefined
      ? [`private key: readable for the group ${securityContext.fsGroup} (fsGroup of the pod)`]
      : []),
    ...containers.map((container) => describeContainer('container', container, application)),
    ...initContainers.map((container) => describeContainer('init container', container, application)),
  ];
}

function describeContainer(what: string, container: Container, application: string): string {
  const mounts = (container.volumeMounts ?? []).filter(({ name }) => OUR_VOLUMES.includes(name));
  if (mounts.length === 0) return `${what} ${container.name}: not chosen, left as it is`;
  const directories = mounts.map(({ mountPath }) => mountPath);
  const env = (container.env ?? []).flatMap(({ name, value, valueFrom }) => {
    if (valueFrom?.secretKeyRef?.name === secretName(application)) return [`${name} (from the Secret)`];
    const isOurs =
      value?.includes(`/applications/${application}/`) === true ||
      directories.some((directory) => value?.startsWith(`${directory}/`));
    return isOurs ? [`${name}=${value ?? ''}`] : [];
  });
  return `${what} ${container.name}: ${env.join(', ')}; files in ${directories.join(', ')}`;
}

function audienceOf({ spec }: PodTemplate): string | undefined {
  const volume = spec.volumes?.find(({ name }) => name === OUR_VOLUMES[1]);
  return volume?.projected?.sources?.find((source) => source.serviceAccountToken)?.serviceAccountToken
    ?.audience;
}
