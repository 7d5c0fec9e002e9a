import { join } from 'node:path';
import { HUB_PREFIX } from '../stores/stored-set.ts';
import type { Contestant } from './contestant.ts';
import { peerEnvironment } from './peer-environment.ts';

/** What one would write in Node without a tool: GetObject streams into files. */
export const restore: Contestant = {
  name: 'AWS SDK (Node)',
  tool: 'sdk',
  command: ({ dir, store }) => ({
    argv: [
      process.execPath,
      join(import.meta.dirname, 'sdk-restore.ts'),
      store.endpoint,
      store.bucket,
      HUB_PREFIX,
      join(dir, 'hub'),
    ],
    env: peerEnvironment(store),
  }),
};
