/** What proves a callback service and its application to each other. */
export const TLS_FILES =
  '--cacert /etc/krake_cert/ca-bundle.pem --cert /etc/krake_cert/cert.pem --key /etc/krake_cert/key.pem';

/** What a real application does to say that it is done (seed 001), until it is heard. */
export const SIGNAL = `curl --silent --show-error --retry 10 --retry-delay 1 --retry-all-errors --fail -X PUT \
-d "{\\"token\\":\\"$KRAKE_TOKEN\\"}" "$KRAKE_COMPLETE_URL" ${TLS_FILES}`;

/** The same with the pod's own token in place of the application's. */
export const SIGNAL_BY_IDENTITY = `curl --silent --show-error --retry 10 --retry-delay 1 --retry-all-errors --fail -X PUT \
-H "Authorization: Bearer $(cat "$KRAKE_TOKEN_FILE")" "$KRAKE_COMPLETE_URL" --cacert /etc/krake_cert/ca-bundle.pem`;

interface WorkloadOptions {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly replicas?: number;
}

const complete = { 'hooks.krake.dev/hooks': 'complete' };

/** A pod spec that Pod Security `restricted` lets pass and that runs a shell script as another user than root. */
export function podSpec(script: string, restartPolicy: 'Always' | 'OnFailure' | 'Never' = 'Always'): object {
  return {
    restartPolicy,
    terminationGracePeriodSeconds: 1,
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'app',
        image: 'localhost/tools:1',
        imagePullPolicy: 'Never',
        command: ['sh', '-c', script],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
}

export function deployment(name: string, script: string, options: WorkloadOptions = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, annotations: options.annotations ?? complete },
    spec: {
      replicas: options.replicas ?? 1,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: podSpec(script) },
    },
  };
}

export function job(name: string, script: string): object {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations: complete },
    spec: { template: { spec: podSpec(script, 'Never') } },
  };
}

export function cronJob(name: string, script: string): object {
  const jobTemplate = { spec: { template: { spec: podSpec(script, 'Never') } } };
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name, annotations: complete },
    spec: { schedule: '* * * * *', suspend: true, jobTemplate },
  };
}

export function pod(name: string, script: string, annotations: object = complete, spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, annotations },
    spec: { ...podSpec(script, 'Never'), ...spec },
  };
}
