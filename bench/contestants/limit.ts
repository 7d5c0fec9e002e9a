import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { environmentFor } from '../../test/support/program.ts';
import { HUB_PREFIX, type StoredSet } from '../stores/stored-set.ts';
import type { Contestant } from './contestant.ts';

const MIB = 1024 * 1024;

export interface Streams {
  readonly threads: number;
  readonly partMiB: number;
}

export const USUAL: Streams = { threads: 8, partMiB: 16 };

/** GET of every file by the C reader: threads that receive a part and write it at its place. */
export function restore(name = 'limit (C reader)', streams: Streams = USUAL): Contestant {
  return { name, tool: 'limit', command: getting(streams, []) };
}

/** The same, and the SHA-256 of every file. */
export function provingRestore(name = 'limit (C reader, SHA-256)', streams: Streams = USUAL): Contestant {
  return { name, tool: 'proving-limit', command: getting(streams, ['prove']) };
}

function getting({ threads, partMiB }: Streams, options: readonly string[]): Contestant['command'] {
  return ({ programs, store, dir }) => ({
    argv: [
      programs.native('wire-limit'),
      'get',
      ...addressOf(store),
      String(threads),
      String(partMiB * MIB),
      ...options,
      ...(store.caFile === undefined ? [] : [`ca=${store.caFile}`]),
    ],
    env: environmentFor(),
    input: getJobs(store, dir),
  });
}

export function addressOf({ endpoint }: StoredSet): readonly [address: string, port: string] {
  const { hostname, port } = new URL(endpoint);
  return [hostname, port];
}

/** A path as it is sent. */
export function pathOf({ bucket }: StoredSet, path: string): string {
  return encodeURI(`/${bucket}/${HUB_PREFIX}${path}`);
}

/** A line for each file; its folder is made. */
export function getJobs(store: StoredSet, dir: string): string {
  const lines = Array.from(store.set.files, ([path, { size }]) => {
    const file = join(dir, 'hub', path);
    mkdirSync(dirname(file), { recursive: true });
    return `${size}\t${pathOf(store, path)}\t${file}\n`;
  });
  return lines.join('');
}
