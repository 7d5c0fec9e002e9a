import { loadBlake3 } from '../blake3.ts';
import { Arrival } from '../model/arrival.ts';
import type { ByteRange } from '../model/parts.ts';
import type { DiskSigns } from '../threads/disk-signs.ts';
import { ArrivingParts } from './arriving-parts.ts';
import { atDisk, writeAll } from './at-disk.ts';
import { OtherObject, type ContentReader, type FoundObject } from './content.ts';
import type { RangeErrand } from './messages.ts';

/** All has come up to where it was cut. */
export class CutOff extends Error {}

/** Writes the bytes of one range where they belong in a file of whoever asked for them, as they come. */
export class RangeReader implements ContentReader {
  readonly #errand: RangeErrand;
  readonly #arrival: Arrival;
  readonly #disk: DiskSigns;
  #parts: ArrivingParts | undefined;
  readonly #onBegin: (etag: string) => void;
  #position: number;
  #end: number;
  #moved = 0;

  constructor(errand: RangeErrand, disk: DiskSigns, onBegin: (etag: string) => void) {
    this.#errand = errand;
    this.#arrival = new Arrival(errand.into.arrival);
    this.#disk = disk;
    this.#parts = partsOnTheirWay(errand);
    this.#onBegin = onBegin;
    this.#position = errand.range.start;
    this.#end = errand.range.end;
  }

  begin(found: FoundObject): void {
    const { etag, size } = this.#errand;
    if ((etag !== undefined && etag !== found.etag) || size !== found.size) throw new OtherObject(found);
    this.#onBegin(found.etag);
  }

  take(bytes: Buffer): void {
    const left = this.#end - this.#position;
    const wanted = bytes.length > left ? bytes.subarray(0, left) : bytes;
    const end = this.#position + wanted.length;
    const proved = this.#parts?.take(wanted, this.#position) ?? [];
    // Of what another request has brought first, nothing is known here. Where two bring pieces of one block, nothing is
    // known of it either: whoever has asked twice takes back what was proved (`Arrival.doubt`).
    if (this.#write(wanted)) for (const part of proved) this.#arrival.prove(part);
    else this.#parts = undefined;
    this.#position = end;
    this.#moved += wanted.length;
    if (end === this.#end && end < this.#errand.range.end) throw new CutOff();
  }

  /** Whether all of it was written. */
  #write(bytes: Buffer): boolean {
    const begin = this.#position;
    const write = ({ start, end }: ByteRange): void =>
      writeAll(this.#errand.into.fd, bytes.subarray(start - begin, end - begin), start);
    return atDisk(this.#disk, () =>
      this.#arrival.writeMissing({ start: begin, end: begin + bytes.length }, write),
    );
  }

  /** It is to end here, by throwing `CutOff`. False when it has come so far already. */
  cut(end: number): boolean {
    if (end <= this.#position || end >= this.#end) return false;
    this.#end = end;
    return true;
  }

  /** Bytes that were written since this was asked last. */
  takeMoved(): number {
    const moved = this.#moved;
    this.#moved = 0;
    return moved;
  }
}

function partsOnTheirWay({ parts, size }: RangeErrand): ArrivingParts | undefined {
  const blake3 = parts && loadBlake3();
  return blake3 && new ArrivingParts(parts, size, blake3);
}
