import { readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Blake3 } from '../blake3.ts';
import { Arrival, type ArrivalMemory } from '../model/arrival.ts';
import { Digester } from '../model/digester.ts';
import { PartHasher } from '../model/part-hasher.ts';
import type { Found, PartDigests, Proof } from '../model/proof.ts';
import type { DiskSigns } from '../threads/disk-signs.ts';

/** A file to hash while it arrives. */
export interface DigestErrand {
  /** Open for reading until the errand is done. */
  readonly fd: number;
  readonly arrival: ArrivalMemory;
  readonly proof: Proof;
}

/** Read, and hashed while the processor still has it at hand. */
const READ_BYTES = 512 * 1024;
/** Files that arrive side by side take turns; each turn is some milliseconds. */
const TURN_BYTES = 8 * 1024 * 1024;

interface Running {
  /** Where the part that begins at `position` ends, if it needs no hashing; else `position`. */
  readonly skip: (position: number, arrival: Arrival) => number;
  /** No read goes beyond it: what is behind it may need no hashing. */
  readonly border: () => number;
  readonly update: (bytes: Buffer) => void;
  readonly found: () => Found;
}

/** Hashes a file from its beginning on, as its bytes come. Undefined when its arrival was ended before all had come. */
export async function followFile(
  { fd, arrival: memory, proof }: DigestErrand,
  disk: DiskSigns,
  blake3: () => (() => Blake3) | undefined,
): Promise<Found | undefined> {
  const { size } = memory;
  const running = runningDigest(proof, size, blake3);
  if (running === undefined) return { kind: 'unavailable' };
  const arrival = new Arrival(memory);
  const block = Buffer.allocUnsafeSlow(READ_BYTES);
  let turnEnd = TURN_BYTES;
  for (let position = 0; position < size;) {
    const most = Math.min(block.length, running.border() - position);
    // The last one first: to be woken for each block takes longer than to hash it.
    await arrival.block(Math.min(size, position + most) - 1);
    await arrival.block(position);
    if (arrival.isEnded) return undefined;
    const next = running.skip(position, arrival);
    if (next > position) {
      position = next;
      continue;
    }
    const length = arrival.reachFrom(position, most) - position;
    const start = position;
    const bytesRead = disk.during(() => readSync(fd, block, 0, length, start));
    // It was made shorter by somebody else: its digests will be others.
    if (bytesRead === 0) break;
    running.update(block.subarray(0, bytesRead));
    position += bytesRead;
    if (position < turnEnd) continue;
    turnEnd = position + TURN_BYTES;
    await nextTurn();
  }
  return running.found();
}

function runningDigest(
  proof: Proof,
  size: number,
  blake3: () => (() => Blake3) | undefined,
): Running | undefined {
  if (proof.kind === 'parts') {
    const make = blake3();
    return make && new PartsDigest(proof.parts, size, make);
  }
  const digester = new Digester(proof.algorithms, size);
  return {
    skip: (position) => position,
    border: () => size,
    update: (bytes) => digester.update(bytes),
    found: () => ({ kind: 'whole', digests: digester.digests() }),
  };
}

/** Compares part after part. */
class PartsDigest implements Running {
  readonly #parts: PartDigests;
  readonly #size: number;
  readonly #hasher: PartHasher;
  readonly #wrong: number[] = [];
  #place = 0;

  /** `size` of the whole file, in bytes. */
  constructor(parts: PartDigests, size: number, blake3: () => Blake3) {
    this.#parts = parts;
    this.#size = size;
    this.#hasher = new PartHasher(parts.size, blake3, (digest) => {
      if (digest !== parts.digests[this.#place]) this.#wrong.push(this.#place);
      this.#place += 1;
    });
  }

  /** One that was proved on its way. */
  skip(position: number, arrival: Arrival): number {
    const { size } = this.#parts;
    const start = this.#place * size;
    const end = Math.min(this.#size, start + size);
    if (position !== start || !arrival.isProved({ start, end })) return position;
    this.#place += 1;
    return end;
  }

  /** The end of the part that is being read. */
  border(): number {
    return (this.#place + 1) * this.#parts.size;
  }

  update(bytes: Buffer): void {
    this.#hasher.update(bytes);
  }

  found(): Found {
    this.#hasher.end();
    // What ended early lacks the parts behind its end.
    const missing = this.#parts.digests.flatMap((_, place) => (place < this.#place ? [] : [place]));
    return { kind: 'parts', wrong: [...this.#wrong, ...missing] };
  }
}
