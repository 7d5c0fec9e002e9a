import type { State } from '../cache/state.ts';
import { explain } from '../errors.ts';
import type { Context } from './context.ts';

/** Keeps what was proved for the next run. A dir that cannot be written to is hashed again, nothing else. */
export function remember({ log }: Context, dir: string, state: State): void {
  try {
    state.save(dir);
  } catch (error) {
    log.debug('report', `what was proved is not remembered: ${explain(error)}`);
  }
}
