import type { FileHandle } from 'node:fs/promises';
import { loadBlake3 } from '../blake3.ts';
import type { PartDigester } from '../cache/part-digester.ts';
import { Digester } from '../model/digester.ts';
import { PartHasher } from '../model/part-hasher.ts';
import { partSizeFor } from '../model/parts.ts';
import type { UploadItem } from '../model/upload-plan.ts';
import { PartsProof } from './parts-proof.ts';
import type { SharedUploads } from './shared-upload.ts';
import {
  algorithmsOfItem,
  refuseChanged,
  refuseOtherContent,
  refuseOtherLength,
  type SendingTools,
  type SentContent,
} from './upload-item.ts';

export interface LargeTools extends SendingTools {
  readonly prover: PartDigester;
  /** Undefined where objects are written in one go. */
  readonly shared: SharedUploads | undefined;
}

const BLOCK = 256 * 1024;

/** Proved beside the sending, part by part, and completed when all of it is; together with whoever else sends it. */
export async function sendLarge(
  item: UploadItem,
  file: FileHandle,
  turn: number,
  tools: LargeTools,
): Promise<SentContent> {
  const { shared, signal } = tools;
  if (shared === undefined) return sendAlone(item, file, tools);
  const stop = new AbortController();
  const proof = prove(item, file, tools, AbortSignal.any([signal, stop.signal]));
  try {
    const isThere = await shared.send({ key: item.key, replaces: item.replaces, turn }, file, proof);
    if (isThere) {
      const found = await proof.whole;
      await refuseChanged(item, file);
      return found;
    }
  } finally {
    // The file is read until then.
    stop.abort();
    await proof.whole.catch(() => undefined);
  }
  return sendAlone(item, file, tools);
}

function prove(
  item: UploadItem,
  file: FileHandle,
  { prover, progress, signal }: LargeTools,
  stop: AbortSignal,
): PartsProof {
  const { size } = item.file;
  const what = { size, partSize: partSizeFor(size), algorithms: algorithmsOfItem(item) };
  const onDisk = (isStuck: boolean): void => {
    if (!isStuck) progress.diskSign();
  };
  return new PartsProof(size, what.partSize, async (onPart) => {
    const found = await progress.whileReadingDisk(() => prover.prove(file, what, { onPart, onDisk }, stop));
    signal.throwIfAborted();
    if (found === undefined) throw new Error('nobody waits for it any more');
    refuseOtherContent(item, found.digests);
    await refuseChanged(item, file);
    return found;
  });
}

/** In one go, proved while it is sent; stopped half-way, nothing of it stays. */
async function sendAlone(
  item: UploadItem,
  file: FileHandle,
  { store, progress, throttle, signal }: LargeTools,
): Promise<SentContent> {
  const { size } = item.file;
  const partSize = partSizeFor(size);
  const digester = new Digester(algorithmsOfItem(item), size);
  const blake3 = loadBlake3();
  const partDigests: string[] = [];
  const hasher = blake3 && new PartHasher(partSize, blake3, (digest) => partDigests.push(digest));
  let sent: SentContent = { digests: {} };
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let position = 0; position < size;) {
      signal.throwIfAborted();
      // Each block is its own: the store may hold on to it until its part has been answered.
      const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, size - position));
      const { bytesRead } = await file.read(block, 0, block.length, position);
      if (bytesRead === 0) refuseOtherLength(item, position);
      const bytes = block.subarray(0, bytesRead);
      digester.update(bytes);
      hasher?.update(bytes);
      position += bytesRead;
      await throttle.take(bytesRead, signal);
      yield bytes;
      progress.addBytes(bytesRead);
    }
    // The upload is completed only after this generator has ended: what throws here never becomes an object.
    hasher?.end();
    sent = { digests: digester.digests(), parts: hasher && { size: partSize, digests: partDigests } };
    refuseOtherContent(item, sent.digests);
    await refuseChanged(item, file);
  }
  await progress.whileWaiting(() => store.putLarge(item.key, chunks(), { size, partSize, signal }));
  return sent;
}
