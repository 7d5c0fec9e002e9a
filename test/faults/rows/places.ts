import type { Group } from '../row.ts';
import { folders } from './place-folders.ts';
import { memory } from './place-memory.ts';
import { processes } from './place-processes.ts';
import { users } from './place-users.ts';

/** Containers and machines that are other than ours. */
export const places: Group = {
  name: 'places',
  title: 'Users, folders, limits and other odd places',
  rows: [...users, ...folders, ...processes, ...memory],
};
