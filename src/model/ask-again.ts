/** A request under way. */
export interface Flight {
  /** Bytes that have not come. */
  readonly left: number;
  /** Bytes per second, since it was asked for. */
  readonly rate: number;
  /** It was asked for again already. */
  readonly isDoubled: boolean;
}

/** What asking again may take. */
export interface Spare {
  readonly requests: number;
  /** Bytes that may come twice. */
  readonly bytes: number;
}

/** Of all bytes, so many may be asked for twice. */
export const DOUBLED_SHARE = 0.03;

const MUCH_SLOWER = 2;
/** Seconds: what is nearly done is not worth it. */
const WORTH_WAITING = 0.3;

/**
 * Which of the last requests to ask for again, when nothing else is left to ask for: those that would take much longer
 * than a new one, the slowest first. `usualRate` is that of the requests before, in bytes per second.
 */
export function toAskAgain<T extends Flight>(
  flights: readonly T[],
  usualRate: number,
  { requests, bytes }: Spare,
): readonly T[] {
  const slow = flights
    .filter(({ isDoubled }) => !isDoubled)
    .filter(
      (flight) =>
        secondsLeft(flight, flight.rate) > MUCH_SLOWER * secondsLeft(flight, usualRate) + WORTH_WAITING,
    )
    .toSorted((a, b) => secondsLeft(b, b.rate) - secondsLeft(a, a.rate));
  let left = bytes;
  return slow
    .filter((flight) => {
      if (flight.left > left) return false;
      left -= flight.left;
      return true;
    })
    .slice(0, Math.max(0, requests));
}

function secondsLeft({ left }: Flight, rate: number): number {
  return left / Math.max(1, rate);
}
