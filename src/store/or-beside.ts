import { countdown } from '../countdown.ts';

type Ask<T> = (signal: AbortSignal) => Promise<T>;

/**
 * What `first` gives. When nothing has come of it after `patience` milliseconds (0: never), `second` is asked beside it:
 * whichever gives something stops the other. Where both fail, throws what the first threw.
 */
export async function orBeside<T>(
  patience: number,
  signal: AbortSignal | undefined,
  first: Ask<T>,
  second: Ask<T>,
): Promise<T> {
  const stops = new Set<AbortController>();
  const ask = async (how: Ask<T>): Promise<T> => {
    const stop = new AbortController();
    stops.add(stop);
    const given = await how(signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
    // It may still have to be read.
    stops.delete(stop);
    return given;
  };
  const asked = ask(first);
  const late = Promise.withResolvers<'late'>();
  const timer = countdown(patience, () => late.resolve('late'));
  try {
    const came = await Promise.race([asked.then((given) => ({ given })), late.promise]);
    return came === 'late' ? await Promise.any([asked, ask(second)]) : came.given;
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    clearTimeout(timer);
    for (const stop of stops) stop.abort();
  }
}
