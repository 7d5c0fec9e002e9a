import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { loadBlake3 } from '../../src/blake3.ts';
import { spreadOf } from '../report/statistics.ts';
import type { Table } from '../report/table.ts';
import type { Workplace } from '../workplace.ts';

const BLOCK = Buffer.alloc(512 * 1024, 'model');
const ROUNDS = 5;

/** What it takes one processor, with nothing else to do, to hash what is at hand, and to read what was just written. */
export function digests({ options, scratch }: Workplace): Promise<readonly Table[]> {
  const blocks = options.isQuick ? 20 : 2000;
  const blake3 = loadBlake3();
  const file = join(scratch.dir, 'read-back');
  const rows = [
    ...['sha256', 'sha1', 'md5'].map((name) => [name, () => hashing(createHash(name), blocks)] as const),
    ...(blake3 === undefined ? [] : [['blake3', () => hashing(blake3(), blocks)] as const]),
    ['to read what was just written', () => readingBack(file, blocks)] as const,
  ];
  const lines = rows.map(([name, seconds]) => `| ${name} | ${perGB(seconds, blocks)} |`);
  const text = [`Medians of ${ROUNDS} rounds.`, ['| | s a GB |', '|---|---|', ...lines].join('\n')];
  return Promise.resolve([{ title: 'What hashing takes', text, columns: [], rows: [] }]);
}

function hashing(hash: { readonly update: (bytes: Buffer) => unknown }, blocks: number): number {
  return secondsOf(() => {
    for (let block = 0; block < blocks; block += 1) hash.update(BLOCK);
  });
}

function readingBack(file: string, blocks: number): number {
  const fd = openSync(file, 'w+');
  try {
    for (let block = 0; block < blocks; block += 1) writeSync(fd, BLOCK);
    const into = Buffer.allocUnsafeSlow(BLOCK.length);
    return secondsOf(() => {
      for (let block = 0; block < blocks; block += 1) readSync(fd, into, 0, into.length, block * into.length);
    });
  } finally {
    closeSync(fd);
    rmSync(file);
  }
}

function secondsOf(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

function perGB(seconds: () => number, blocks: number): string {
  const { median } = spreadOf(Array.from({ length: ROUNDS }, seconds));
  return ((median * 1e9) / (blocks * BLOCK.length)).toFixed(2);
}
