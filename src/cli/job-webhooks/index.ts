export { addDeliveryCommands } from './delivery-commands.ts';
export { addWatcherCommands } from './watcher-commands.ts';
export { addWebhookCommands } from './webhook-commands.ts';
