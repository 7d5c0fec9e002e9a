import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { makeRepo, put } from '../support/tree.ts';

const MiB = 1024 * 1024;
const LARGE_COMMIT = 'c1'.repeat(20);
const SMALL_COMMIT = 'd2'.repeat(20);

/** Bytes of the largest file: several ranges, and several parts. */
export const LARGEST = 24 * MiB;

/** What a server has downloaded: two repos and a checkpoint of torch, 12 files of which one is large. */
export function makeOriginal(dir: string): void {
  const hub = join(dir, 'hub');
  const text = (content: string): { content: Buffer; lfs: boolean } => ({
    content: Buffer.from(content),
    lfs: false,
  });
  makeRepo(hub, 'org/large', LARGE_COMMIT, {
    'model.safetensors': { content: randomBytes(LARGEST) },
    'onnx/decoder/model.onnx': { content: randomBytes(MiB) },
    'config.json': text('{"layers": 12}'),
    'tokenizer/vocab.txt': text('a\nb\nc\n'),
    'empty.txt': text(''),
  });
  put(join(hub, 'models--org--large', 'refs', 'v1.0'), LARGE_COMMIT);
  const small = Array.from({ length: 5 }, (_, index) => [`part-${index}.json`, text(`{"part": ${index}}`)]);
  makeRepo(hub, 'org/small', SMALL_COMMIT, {
    ...(Object.fromEntries(small) as Record<string, { content: Buffer; lfs: boolean }>),
    'pytorch_model.bin': { content: randomBytes(300_000) },
  });
  put(join(dir, 'torch', 'hub', 'checkpoints', 'vocoder.pth'), randomBytes(200_000));
}

/** The same cache once more, for a run that writes to it. */
export function copyCache(from: string, to: string): void {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}
