import { countdown } from '../countdown.ts';

/** `onSign` is to be called whenever something of it has come. */
type Ask<T> = (signal: AbortSignal, onSign: () => void) => Promise<T>;

/**
 * What `first` gives. When it has been silent for `patience` milliseconds (0: never is), `second` is asked beside it:
 * whichever gives something stops the other. Throws what the first throws: it may have tried for long.
 */
export async function orBeside<T>(
  patience: number,
  signal: AbortSignal | undefined,
  first: Ask<T>,
  second: Ask<T>,
): Promise<T> {
  const silent = Promise.withResolvers<'silent'>();
  const timer = countdown(patience, () => silent.resolve('silent'));
  const stops = new Set<AbortController>();
  const ask = async (how: Ask<T>): Promise<T> => {
    const stop = new AbortController();
    stops.add(stop);
    const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const given = await how(stopped, () => timer?.refresh());
    // It may still have to be read.
    stops.delete(stop);
    return given;
  };
  const asked = ask(first);
  try {
    const came = await Promise.race([asked.then((given) => ({ given })), silent.promise]);
    return came === 'silent' ? await Promise.race([asked, ask(second).catch(() => asked)]) : came.given;
  } finally {
    clearTimeout(timer);
    for (const stop of stops) stop.abort();
  }
}
