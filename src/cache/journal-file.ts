import { constants } from 'node:fs';
import { lstat, open, rm, type FileHandle } from 'node:fs/promises';
import { journalText, MAX_JOURNAL_BYTES, parseJournal, rangeLine, type Journal } from '../model/partial.ts';
import type { ByteRange } from '../model/parts.ts';
import { thisBoot } from './boot.ts';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

/**
 * Writes down what has been written of a partial file. Never throws: a file without a journal is fetched anew by the
 * next run, nothing else.
 */
export class JournalFile {
  readonly #path: string;
  readonly #object: { readonly key: string; readonly size: number };
  #file: FileHandle | undefined;
  #isOfUse = false;

  constructor(path: string, object: { readonly key: string; readonly size: number }) {
    this.#path = path;
    this.#object = object;
  }

  /** It holds something to go on with. */
  get isOfUse(): boolean {
    return this.#isOfUse;
  }

  /** What was noted before is forgotten: the file is filled from this object now, and holds these ranges of it. */
  async begin(etag: string, done: readonly ByteRange[] = []): Promise<void> {
    const { key, size } = this.#object;
    await this.#attempt(async () => {
      this.#file ??= await open(this.#path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      await this.#file.truncate(0);
      await this.#file.write(journalText({ key, size, etag, boot: thisBoot(), done }));
      this.#isOfUse = done.length > 0;
    });
  }

  /** After all of it was written. */
  async note(range: ByteRange): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await this.#attempt(async () => {
      await file.write(rangeLine(range));
      this.#isOfUse = true;
    });
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => undefined);
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true }).catch(() => undefined);
  }

  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch {
      this.#isOfUse = false;
      await this.close();
      await this.remove();
    }
  }
}

/** Undefined when there is none, or none that we can have written. */
export async function readJournal(path: string): Promise<Journal | undefined> {
  const file = await openOwn(path, O_RDONLY);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    if (size > MAX_JOURNAL_BYTES) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
    return parseJournal(buffer.toString('utf8', 0, bytesRead));
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** A regular file of this user that has this one name: nothing else is opened, or waited for. */
export async function openOwn(path: string, access: number): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined;
  try {
    // A device could do something by being opened.
    if (!(await lstat(path)).isFile()) return undefined;
    file = await open(path, access | O_NOFOLLOW | O_NONBLOCK);
    const stats = await file.stat();
    if (stats.isFile() && stats.uid === process.geteuid?.() && stats.nlink === 1) return file;
  } catch {
    // It cannot be looked at.
  }
  await file?.close().catch(() => undefined);
  return undefined;
}
