import type { Group } from '../row.ts';
import { oddHttp } from './answers-http.ts';
import { objects } from './answers-objects.ts';

export const answers: Group = {
  name: 'answers',
  title: 'What the store answers when it is asked for files',
  rows: [...objects, ...oddHttp],
};
