export { ConfigError } from './config-error.ts';
export { inClusterUrl } from './in-cluster-url.ts';
export { listConfigKeys, type ConfigKey } from './config-keys.ts';
export { loadConfig, type ConfigSources } from './load-config.ts';
export { configSchema, DEFAULT_PARTS, PARTS, type Config, type ConfigInput, type Part } from './schema.ts';
