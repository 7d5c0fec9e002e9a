const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Nothing else runs meanwhile: for what must be done before the thread goes on. */
export function pauseThread(milliseconds: number): void {
  Atomics.wait(NEVER, 0, 0, milliseconds);
}
