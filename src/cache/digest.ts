import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { ModelCacheError } from '../errors.ts';
import type { DigestAlgorithm, Digests } from '../model/digest.ts';
import { Digester } from '../model/digester.ts';

/** What was a file when the cache was looked at may be a pipe by now. */
const { O_NONBLOCK, O_RDONLY } = constants;
/** Bytes read at a time. */
const BLOCK = 1024 * 1024;
/** Bytes of the largest file that is read in one synchronous go. */
const SMALL = 64 * 1024;

export interface ProvedFile {
  readonly digests: Digests;
  /** Bytes. */
  readonly size: number;
  readonly identity: string;
}

/** Changes whenever a file's content could have: size, modification and change time, inode, device. */
export function identityOf({ size, mtimeNs, ctimeNs, ino, dev }: BigIntStats): string {
  // One piece: a template would keep each number as a text of its own, and there is one of these for each file.
  return [size, mtimeNs, ctimeNs, ino, dev].join('-');
}

/** Hashes a file. `file-changed` when it is written to meanwhile. */
export async function proveFile(
  path: string,
  algorithms: readonly DigestAlgorithm[],
  signal?: AbortSignal,
  onBlock?: () => void,
): Promise<ProvedFile> {
  return proveSmall(path, algorithms) ?? (await proveLarge(path, algorithms, signal, onBlock));
}

/** The digests of an open file's first `size` bytes. `onBlock` hears of every mebibyte that was read. */
export async function digestOpenFile(
  file: FileHandle,
  size: number,
  algorithms: readonly DigestAlgorithm[],
  signal?: AbortSignal,
  onBlock?: () => void,
): Promise<Digests> {
  const digester = new Digester(algorithms, size);
  const block = Buffer.allocUnsafe(Math.min(BLOCK, Math.max(1, size)));
  for (let position = 0; position < size;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, size - position), position);
    onBlock?.();
    if (bytesRead === 0) break;
    digester.update(block.subarray(0, bytesRead));
    position += bytesRead;
  }
  return digester.digests();
}

function proveSmall(path: string, algorithms: readonly DigestAlgorithm[]): ProvedFile | undefined {
  const fd = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) throw changed(path);
    const size = Number(before.size);
    if (size > SMALL) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    const length = size === 0 ? 0 : readSync(fd, bytes, 0, size, 0);
    const digester = new Digester(algorithms, size);
    digester.update(bytes.subarray(0, length));
    return proved(path, digester.digests(), before, fstatSync(fd, { bigint: true }));
  } finally {
    closeSync(fd);
  }
}

async function proveLarge(
  path: string,
  algorithms: readonly DigestAlgorithm[],
  signal?: AbortSignal,
  onBlock?: () => void,
): Promise<ProvedFile> {
  const file = await open(path, O_RDONLY | O_NONBLOCK);
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw changed(path);
    const digests = await digestOpenFile(file, Number(before.size), algorithms, signal, onBlock);
    return proved(path, digests, before, await file.stat({ bigint: true }));
  } finally {
    await file.close();
  }
}

function proved(path: string, digests: Digests, before: BigIntStats, after: BigIntStats): ProvedFile {
  const identity = identityOf(after);
  if (identityOf(before) !== identity) {
    throw changed(path);
  }
  return { digests, size: Number(after.size), identity };
}

function changed(path: string): ModelCacheError {
  return new ModelCacheError('file-changed', `${path} changed while it was read`, {
    hint: 'it is taken when it is finished',
  });
}
