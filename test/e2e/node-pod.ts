export interface NodeContainer {
  readonly name: string;
  /** File in /app. */
  readonly program: string;
  readonly env?: Readonly<Record<string, string>>;
  /** An address on port 8080 that answers when it is ready. */
  readonly readyAt?: string;
  readonly scheme?: 'HTTP' | 'HTTPS';
}

export interface NodePodOptions {
  /** ConfigMap that is mounted at /app. */
  readonly files: string;
  readonly restartPolicy?: 'Always' | 'Never';
  /** Secret that is mounted at /tls. */
  readonly tls?: string;
  readonly graceSeconds?: number;
}

/** A pod spec that Pod Security `restricted` lets pass and whose containers run TypeScript files out of a ConfigMap. */
export function nodePod(containers: readonly NodeContainer[], options: NodePodOptions): object {
  const { files, tls, restartPolicy = 'Always', graceSeconds = 30 } = options;
  const mounts = [
    { name: 'app', mountPath: '/app' },
    ...(tls === undefined ? [] : [{ name: 'tls', mountPath: '/tls' }]),
  ];
  return {
    restartPolicy,
    terminationGracePeriodSeconds: graceSeconds,
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: containers.map(({ name, program, env = {}, readyAt, scheme = 'HTTP' }) => ({
      name,
      image: 'localhost/tools:1',
      imagePullPolicy: 'Never',
      command: ['node', `/app/${program}`],
      env: [
        fromField('NAMESPACE', 'metadata.namespace'),
        fromField('POD_NAME', 'metadata.name'),
        ...Object.entries(env).map(([key, value]) => ({ name: key, value })),
      ],
      ...(readyAt === undefined
        ? {}
        : {
            readinessProbe: {
              httpGet: { path: readyAt, port: 8080, scheme },
              periodSeconds: 1,
              timeoutSeconds: 5,
            },
          }),
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      volumeMounts: mounts,
    })),
    volumes: [
      { name: 'app', configMap: { name: files } },
      ...(tls === undefined ? [] : [{ name: 'tls', secret: { secretName: tls } }]),
    ],
  };
}

function fromField(name: string, fieldPath: string): object {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
