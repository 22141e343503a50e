import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

// The dependency rules between the areas of src/ (docs/architecture.md has the same table). An area may import the
// front doors (index.ts) of the areas named here and nothing else of src/; cli wires and may import all of them.
const mayImport = {
  contract: [],
  config: ['contract'],
  observability: [],
  http: ['observability'],
  kube: ['observability'],
  review: ['http', 'observability'],
  admission: ['contract', 'config', 'http', 'review', 'observability'],
  applications: ['contract', 'kube', 'observability'],
  uninstall: ['contract', 'kube', 'applications', 'observability'],
  callbacks: ['contract', 'config', 'http', 'kube', 'applications', 'observability'],
  pki: ['contract', 'config', 'kube', 'http', 'observability'],
  gate: ['contract', 'config', 'kube', 'review', 'applications', 'observability'],
  outbound: ['contract', 'config', 'observability'],
  jobs: ['contract', 'kube', 'observability'],
  deliveries: ['contract', 'kube', 'outbound', 'jobs', 'observability'],
  'jobs-api': ['contract', 'http', 'kube', 'outbound', 'jobs', 'observability'],
};
const areas = [...Object.keys(mayImport), 'cli'];

// Packages that belong to one place: a reader who looks for Kubernetes calls, HTTP frameworks or log sinks knows where.
const packageHomes = {
  express: ['http', 'callbacks', 'jobs-api', 'observability', 'cli'],
  '@kubernetes/client-node': ['kube'],
  winston: ['observability'],
  'prom-client': ['observability'],
  '@peculiar/x509': ['pki'],
  'node-forge': ['pki'],
  commander: ['cli'],
  undici: ['outbound'],
};

const areaRules = areas.map((area) => {
  const forbidden = area === 'cli' ? [] : areas.filter((a) => a !== area && !mayImport[area].includes(a));
  const others = areas.filter((a) => a !== area);
  const homeless = Object.keys(packageHomes).filter((p) => !packageHomes[p].includes(area));
  return {
    files: [`src/${area}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...(forbidden.length > 0
              ? [
                  {
                    regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
                    message: `${area}/ may not depend on this area (docs/architecture.md).`,
                  },
                ]
              : []),
            {
              regex: `^(\\.\\./)+(${others.join('|')})/(?!index\\.ts$)`,
              message: "Come in by the area's front door, index.ts.",
            },
            ...(homeless.length > 0
              ? [
                  {
                    regex: `^(${homeless.join('|')})(/|$)`,
                    message: `This package is not used in ${area}/ (eslint.config.mjs, packageHomes).`,
                  },
                ]
              : []),
          ],
        },
      ],
      ...(area === 'config'
        ? {}
        : {
            'no-restricted-properties': [
              'error',
              { object: 'process', property: 'env', message: 'Only config/ reads the environment.' },
            ],
          }),
    },
  };
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cluster/', '.work/', 'coverage/', 'certs/out/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      // Kubernetes objects are plain data; client-node types them as classes.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 15],
      'max-depth': ['error', 4],
      'no-console': 'error',
    },
  },
  ...areaRules,
  // A model of the world in a property test is one switch over all that may happen.
  { files: ['test/**/*.ts'], rules: { complexity: 'off' } },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'certs/**/*.ts', 'examples/**/*.ts', 'src/cli/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
);
