import { workerData } from 'node:worker_threads';
import { Arrival, type ArrivalMemory } from '../../src/model/arrival.ts';

/** Brings a whole file of `mark`s to shared memory, in pieces, beside others who bring their own. */
export interface Bringing {
  readonly arrival: ArrivalMemory;
  readonly file: SharedArrayBuffer;
  readonly mark: number;
  readonly pieceBytes: number;
}

const { arrival: memory, file, mark, pieceBytes } = workerData as Bringing;
const arrival = new Arrival(memory);
const bytes = new Uint8Array(file);
for (let start = 0; start < bytes.length; start += pieceBytes) {
  const end = Math.min(bytes.length, start + pieceBytes);
  arrival.writeMissing({ start, end }, (piece) => void bytes.fill(mark, piece.start, piece.end));
}
