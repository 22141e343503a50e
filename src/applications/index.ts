export { buildApplicationCrd } from './application-crd.ts';
export * from './application.ts';
