import type { Group } from '../row.ts';
import { access } from './access.ts';
import { answers } from './answers.ts';
import { hostile } from './hostile.ts';
import { kills } from './kills.ts';
import { listings } from './listings.ts';
import { locked } from './locked.ts';
import { network } from './network.ts';
import { places } from './places.ts';
import { refusals } from './refusals.ts';
import { space } from './space.ts';
import { tls } from './tls.ts';
import { uploads } from './uploads.ts';
import { volumes } from './volumes.ts';

/** In the order of the table and of the document. */
export const GROUPS: readonly Group[] = [
  network,
  tls,
  access,
  answers,
  refusals,
  listings,
  uploads,
  hostile,
  locked,
  space,
  volumes,
  kills,
  places,
];
