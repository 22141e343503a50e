export { configSchema, PARTS, type Config, type ConfigInput, type Part } from './schema.ts';
