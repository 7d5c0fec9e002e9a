import { constants, ftruncateSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { hasErrno } from '../errors.ts';
import { tryLock } from './flock.ts';
import { layout } from './layout.ts';
import { refuseForeignFolder, refuseShared, type OwnPlace } from './own-folder.ts';

/** What the one write-back of a dir is doing, for whoever asks. */
export interface WriteBackStatus {
  readonly pid: number;
  /** The PID of the server it belongs to. */
  readonly server: number;
  readonly state: 'waiting' | 'uploading';
  /** ISO 8601. */
  readonly since: string;
}

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants;
const MAX_STATUS_BYTES = 1024;

/** One write-back at a time for a dir. It ends with this process, however that ends. */
export class WriteBackLock {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /**
   * Undefined when someone else has it; where there is no flock, nobody has. Throws what opening the file throws, and
   * `dir-unusable` when it is none of ours.
   */
  static async tryTake({ dir, owner }: OwnPlace): Promise<WriteBackLock | undefined> {
    refuseForeignFolder(dir, owner);
    const path = layout.writeBackLock(dir);
    const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644).catch(
      (error: unknown) => {
        // Another user's, from an earlier start: it can be locked, and keeps what it says.
        if (!hasErrno(error, 'EACCES')) throw error;
        return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      },
    );
    try {
      refuseShared(path, await file.stat());
      if ((await tryLock(file)) !== 'held') return new WriteBackLock(file);
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return undefined;
  }

  /** In the same file, since that is what is locked. A full disk must not end a write-back: never throws. */
  say(status: WriteBackStatus): void {
    try {
      const line = Buffer.from(`${JSON.stringify(status)}\n`);
      // Readers take the first line, so what is left of a longer one does no harm until it is cut off.
      writeSync(this.#file.fd, line, 0, line.length, 0);
      ftruncateSync(this.#file.fd, line.length);
    } catch {
      // Whoever asks is told the former state, or nothing.
    }
  }

  async release(): Promise<void> {
    try {
      ftruncateSync(this.#file.fd, 0);
    } catch {
      // Without a holder it says nothing anyway.
    }
    await this.#file.close();
  }
}

/** Undefined when there is no write-back; when there are two who ask at once, each may be taken for one by the other. */
export async function readWriteBack(dir: string): Promise<WriteBackStatus | undefined> {
  const file = await open(layout.writeBackLock(dir), O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(
    () => undefined,
  );
  if (file === undefined) return undefined;
  try {
    if ((await tryLock(file)) !== 'held') return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_STATUS_BYTES), 0, MAX_STATUS_BYTES, 0);
    return parseStatus(buffer.toString('utf8', 0, bytesRead));
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

function parseStatus(text: string): WriteBackStatus | undefined {
  const { pid, server, state, since } = JSON.parse(text.split('\n')[0] ?? '') as Record<string, unknown>;
  if (typeof pid !== 'number' || typeof server !== 'number' || typeof since !== 'string') return undefined;
  return state === 'waiting' || state === 'uploading' ? { pid, server, state, since } : undefined;
}
