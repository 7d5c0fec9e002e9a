import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Digester } from '../model/digester.ts';
import type { Digests } from '../model/digest.ts';
import type { DiskSigns } from '../threads/disk-signs.ts';
import { atDisk, writeAll } from './at-disk.ts';
import { OtherObject, type ContentReader, type FoundObject } from './content.ts';
import type { FileToMake } from './messages.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** Makes a file of a whole small object, and hashes it as it comes. */
export class FileReader implements ContentReader {
  etag = '';
  /** When it is finished. */
  digests: Digests = {};
  readonly #file: FileToMake;
  readonly #disk: DiskSigns;
  #digester: Digester | undefined;
  #fd: number | undefined;
  #isMade = false;
  #position = 0;
  #moved = 0;

  constructor(file: FileToMake, disk: DiskSigns) {
    this.#file = file;
    this.#disk = disk;
  }

  begin(found: FoundObject): void {
    const { path, mode, size, algorithms } = this.#file;
    if (size !== found.size) throw new OtherObject(found);
    // A copy: it is a part of the text of the head, and would keep all of that until it is told.
    this.etag = Buffer.from(found.etag, 'latin1').toString('latin1');
    this.#digester = new Digester(algorithms, size);
    this.#fd = atDisk(this.#disk, () => openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
    this.#isMade = true;
  }

  take(bytes: Buffer): void {
    this.#digester?.update(bytes);
    atDisk(this.#disk, () => writeAll(this.#fd ?? -1, bytes, this.#position));
    this.#position += bytes.length;
    this.#moved += bytes.length;
  }

  /** Bytes that were written since this was asked last. */
  takeMoved(): number {
    const moved = this.#moved;
    this.#moved = 0;
    return moved;
  }

  /** After the last byte. */
  finish(): void {
    this.#close();
    this.digests = this.#digester?.digests() ?? {};
  }

  /** What has come of it is of no use. */
  giveUp(): void {
    if (!this.#isMade) return;
    try {
      this.#close();
    } catch {
      // A disk that cannot even close: the next line tries all the same.
    }
    try {
      atDisk(this.#disk, () => unlinkSync(this.#file.path));
    } catch {
      // It is cleared by a later run.
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) atDisk(this.#disk, () => closeSync(fd));
  }
}
