/** While the disk takes nothing, that is told several times a second. */
const DISK_NEWS_MS = 1000;

/** What has moved so far. Only numbers: the log line, the watchdog and the report read it. */
export class Progress {
  bytesDone = 0;
  /** All that has come, what had to be thrown away included. */
  bytesCome = 0;
  filesDone = 0;
  bytesTotal = 0;
  filesTotal = 0;
  /** Requests that are waiting for bytes now. */
  waiting = 0;
  /** `performance.now()` when something last came. */
  lastSign = performance.now();

  /** Files that are being read from the disk now, to hash them. */
  readingDisk = 0;
  /** `performance.now()` when the disk last gave something. */
  lastDiskSign = performance.now();
  /** `performance.now()` when the disk was first, and last, said not to take what has come. */
  #diskBusy: { readonly since: number; readonly until: number } | undefined;

  expect(files: number, bytes: number): void {
    this.filesTotal += files;
    this.bytesTotal += bytes;
  }

  /** The store has shown that it lives. */
  sign(): void {
    this.lastSign = performance.now();
  }

  addBytes(bytes: number): void {
    this.bytesDone += bytes;
    this.bytesCome += bytes;
    this.#diskBusy = undefined;
    this.sign();
  }

  /** Something has come, and the disk does not take it. That is not the store's fault. */
  diskBusy(): void {
    const now = performance.now();
    this.#diskBusy = { since: now - this.diskBusyMs(now), until: now };
    this.sign();
  }

  /** For how many milliseconds the disk has not taken what has come. */
  diskBusyMs(now: number): number {
    if (this.#diskBusy === undefined || now - this.#diskBusy.until > DISK_NEWS_MS) return 0;
    return now - this.#diskBusy.since;
  }

  /** This process has not run for a while: nobody has been silent meanwhile. */
  beginAnew(): void {
    this.sign();
    this.diskSign();
    this.#diskBusy = undefined;
  }

  /** The disk has shown that it lives. */
  diskSign(): void {
    this.lastDiskSign = performance.now();
  }

  /** Bytes that have to come once more. */
  takeBack(bytes: number): void {
    this.bytesDone -= bytes;
  }

  fileDone(): void {
    this.filesDone += 1;
  }

  /** Counts `work` as reading from the disk while it runs. */
  async whileReadingDisk<T>(work: () => Promise<T>): Promise<T> {
    if (this.readingDisk === 0) this.diskSign();
    this.readingDisk += 1;
    try {
      return await work();
    } finally {
      this.readingDisk -= 1;
      this.diskSign();
    }
  }

  /** Counts `work` as waiting for the store while it runs. */
  async whileWaiting<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting === 0) this.sign();
    this.waiting += 1;
    try {
      return await work();
    } finally {
      this.waiting -= 1;
      this.sign();
    }
  }
}
