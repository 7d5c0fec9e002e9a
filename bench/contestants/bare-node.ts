import { join } from 'node:path';
import { environmentFor } from '../../test/support/program.ts';
import { accessVariables } from '../stores/stored-set.ts';
import type { Contestant } from './contestant.ts';
import { addressOf, getJobs } from './limit.ts';

/** One thread of Node that does what no restore can do without, and nothing else. */
export const restore: Contestant = {
  name: 'Node, bare',
  tool: 'node',
  command: ({ dir, store }) => ({
    argv: [process.execPath, join(import.meta.dirname, 'bare-restore.js'), ...addressOf(store)],
    env: environmentFor(accessVariables(store)),
    input: getJobs(store, dir),
  }),
};
