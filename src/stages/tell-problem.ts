import { explain, toModelCacheError, type ModelCacheError } from '../errors.ts';
import type { LogEvent } from '../log-event.ts';
import type { Context } from './context.ts';

type Teller = Pick<Context, 'log' | 'reporter'>;

/** Something is wrong, and the command goes on: it is said, in these words, and is in the report. */
export function tellProblem(
  { log, reporter }: Teller,
  event: LogEvent,
  error: unknown,
  words: string = explain(error),
): void {
  log.warn(event, words, toModelCacheError(error).code);
  reporter.problem(error);
}

/** Manifests that could not be used: the others count all the same. */
export function tellRefused(teller: Teller, refused: readonly ModelCacheError[]): void {
  for (const error of refused) tellProblem(teller, 'manifest.refused', error, `left out: ${explain(error)}`);
}
