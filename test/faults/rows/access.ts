import type { Group } from '../row.ts';
import { credentials } from './access-credentials.ts';
import { rights } from './access-rights.ts';

export const access: Group = {
  name: 'access',
  title: 'Keys, rights and names',
  rows: [...credentials, ...rights],
};
