const COUNT = 0;
const IS_BUSY = 1;

/** By these a thread shows that the disk keeps it waiting: nothing else can be heard of it then. */
export class DiskSigns {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;
  #seen = 0;

  constructor(memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  /** Of the thread: `act` may take as long as the disk takes. */
  during<T>(act: () => T): T {
    Atomics.store(this.#cells, IS_BUSY, 1);
    try {
      return act();
    } finally {
      Atomics.store(this.#cells, IS_BUSY, 0);
      Atomics.add(this.#cells, COUNT, 1);
    }
  }

  /** The thread is at the disk now, and may never come back from there. */
  get isAtDisk(): boolean {
    return Atomics.load(this.#cells, IS_BUSY) === 1;
  }

  /** Of whoever waits for it: whether one and the same act has been going on since the last look. */
  look(): boolean {
    const count = Atomics.load(this.#cells, COUNT);
    const isStuck = Atomics.load(this.#cells, IS_BUSY) === 1 && count === this.#seen;
    this.#seen = count;
    return isStuck;
  }
}

const ofThreads = new Set<DiskSigns>();

/** The signs of a thread, until it has ended. */
export function signsOfThread(): DiskSigns {
  const signs = new DiskSigns();
  ofThreads.add(signs);
  return signs;
}

export function threadHasEnded(signs: DiskSigns): void {
  ofThreads.delete(signs);
}

/** Whether the end of this process could have to wait for a thread that does not come back from the disk. */
export function isAnyThreadAtDisk(): boolean {
  return [...ofThreads].some(({ isAtDisk }) => isAtDisk);
}
