/**
 * An AdmissionReview as the API server sends it for a Pod of everyday size (6 to 8 KB): two containers, probes, resources, two dozen env
 * entries, projected token volume, tolerations, managedFields.
 */
export function realisticReview(uid: string): string {
  const env = Array.from({ length: 24 }, (_, i) => ({
    name: `SETTING_${i}`,
    value: `value-of-setting-${i}`,
  }));
  const container = (name: string) => ({
    name,
    image: `registry.example/team/${name}:1.27.3@sha256:${'0123456789abcdef'.repeat(4)}`,
    args: ['--listen=0.0.0.0:8080', '--log-format=json', '--log-level=info'],
    env,
    ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
      periodSeconds: 10,
      timeoutSeconds: 1,
      failureThreshold: 3,
      successThreshold: 1,
    },
    readinessProbe: {
      httpGet: { path: '/readyz', port: 'http', scheme: 'HTTP' },
      periodSeconds: 5,
      timeoutSeconds: 1,
      failureThreshold: 3,
      successThreshold: 1,
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'data', mountPath: '/var/lib/data' },
      {
        name: 'kube-api-access-x7k2p',
        mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
        readOnly: true,
      },
    ],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
  });
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: 'web-6d4cf56db6-',
      namespace: 'shop',
      labels: {
        app: 'web',
        'pod-template-hash': '6d4cf56db6',
        'hooks.krake.dev/application': 'deployment-web',
      },
      annotations: { 'hooks.krake.dev/hooks': 'complete', 'hooks.krake.dev/stamped-from': 'workload' },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'web-6d4cf56db6',
          uid: '3b0c5f0e-5a9c-4d0a-8d53-0a1f6a1f7b11',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: [
        {
          manager: 'kube-controller-manager',
          operation: 'Update',
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1: managedFields(),
        },
      ],
    },
    spec: {
      containers: [container('web'), container('sidecar')],
      volumes: [
        { name: 'data', emptyDir: {} },
        {
          name: 'kube-api-access-x7k2p',
          projected: {
            defaultMode: 420,
            sources: [
              { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
              { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            ],
          },
        },
      ],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      schedulerName: 'default-scheduler',
      tolerations: [
        {
          key: 'node.kubernetes.io/not-ready',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
        {
          key: 'node.kubernetes.io/unreachable',
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: 300,
        },
      ],
      preemptionPolicy: 'PreemptLowerPriority',
    },
    status: {},
  };
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  const resource = { group: '', version: 'v1', resource: 'pods' };
  const userInfo = {
    username: 'system:serviceaccount:kube-system:replicaset-controller',
    uid: '8f0c',
    groups: ['system:serviceaccounts', 'system:authenticated'],
  };
  const request = {
    uid,
    kind,
    resource,
    requestKind: kind,
    requestResource: resource,
    namespace: 'shop',
    operation: 'CREATE',
    userInfo,
    object,
    oldObject: null,
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
  };
  return JSON.stringify({ kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request });
}

function managedFields(): Record<string, unknown> {
  const leaf = {};
  const container = {
    '.': leaf,
    'f:image': leaf,
    'f:imagePullPolicy': leaf,
    'f:env': leaf,
    'f:ports': leaf,
    'f:resources': leaf,
    'f:securityContext': leaf,
  };
  return {
    'f:metadata': {
      'f:generateName': leaf,
      'f:labels': { '.': leaf, 'f:app': leaf, 'f:pod-template-hash': leaf },
      'f:ownerReferences': leaf,
    },
    'f:spec': {
      'f:containers': { 'k:{"name":"web"}': container, 'k:{"name":"sidecar"}': container },
      'f:restartPolicy': leaf,
      'f:schedulerName': leaf,
    },
  };
}
