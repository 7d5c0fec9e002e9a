import type { Group } from '../row.ts';
import { connections } from './network-connections.ts';
import { links } from './network-links.ts';
import { silences } from './network-silences.ts';

export const network: Group = {
  name: 'network',
  title: 'The way to the store',
  rows: [...connections, ...silences, ...links],
};
