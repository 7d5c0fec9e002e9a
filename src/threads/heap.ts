import { setFlagsFromString } from 'node:v8';

/**
 * Left to itself, the heap grows to twice what it holds before it is collected, and its young generation to 48 MiB. What
 * many small files leave behind is collected sooner, at no cost that could be measured (npm run bench -- --only growth).
 */
const SMALL = ['--semi-space-growth-factor=1', '--heap-growing-percent=10'];
const USUAL = ['--semi-space-growth-factor=2', '--heap-growing-percent=0'];

let isToBeSmall = false;
let beginning = 0;

/** From now on, for all of this process. */
export function keepHeapSmall(): void {
  isToBeSmall = true;
  setFlags();
}

/**
 * A thread is about to begin, and has begun when what this returns is called. While V8's flags are others than usual, it
 * takes nothing of what Node has compiled beforehand, and each thread would compile all of Node's own modules anew.
 */
export function threadBegins(): () => void {
  beginning += 1;
  setFlags();
  let hasBegun = false;
  return () => {
    if (hasBegun) return;
    hasBegun = true;
    beginning -= 1;
    setFlags();
  };
}

function setFlags(): void {
  if (!isToBeSmall) return;
  for (const flag of beginning === 0 ? SMALL : USUAL) setFlagsFromString(flag);
}
