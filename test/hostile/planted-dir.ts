import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasErrno } from '../../src/errors.ts';
import { surroundingsOf } from './surroundings.ts';

/** What somebody may have put where a cache has a file or a folder. */
export const PLANTS = [
  'folder elsewhere',
  'file elsewhere',
  'nothing elsewhere',
  'itself',
  'root of all',
  'pipe',
  'file',
  'folder',
] as const;

export type Plant = (typeof PLANTS)[number];

/** A cache dir beside a folder of somebody else's, which nothing may change. */
export class PlantedDir {
  /** Holds everything of this one. */
  readonly root: string;
  readonly dir: string;
  readonly elsewhere: string;

  constructor(parent: string = tmpdir()) {
    this.root = mkdtempSync(join(parent, 'planted-'));
    this.dir = join(this.root, 'dir');
    this.elsewhere = join(this.root, 'elsewhere');
    mkdirSync(join(this.dir, '.model-cache', 'partial'), { recursive: true });
    // A writer that is led there by its first names finds the others too.
    for (const folder of ['blobs', 'snapshots', 'refs', 'hub/checkpoints', 'models--a--b/blobs'])
      mkdirSync(join(this.elsewhere, folder), { recursive: true });
    for (const file of ['precious', 'refs/main', 'main', 'w.bin'])
      writeFileSync(join(this.elsewhere, file), 'not yours');
  }

  /** What was planted before may be in the way. */
  plant(path: string, plant: Plant): void {
    const absolute = join(this.dir, path);
    try {
      mkdirSync(dirname(absolute), { recursive: true });
      put(absolute, plant, this.elsewhere);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST', 'ENOTDIR', 'ELOOP', 'ENOENT', 'ENAMETOOLONG')) throw error;
    }
  }

  /** Everything that is not the dir's, and the names in the root of all. */
  surroundings(): ReadonlyMap<string, string> {
    const around = surroundingsOf(this.root, new Set(['dir']));
    return new Map([...around, ['/', readdirSync('/').join(' ')]]);
  }
}

function put(path: string, plant: Plant, elsewhere: string): void {
  switch (plant) {
    case 'folder elsewhere':
      return symlinkSync(elsewhere, path);
    case 'file elsewhere':
      return symlinkSync(join(elsewhere, 'precious'), path);
    case 'nothing elsewhere':
      return symlinkSync(join(elsewhere, 'to-be-made'), path);
    case 'itself':
      return symlinkSync(path, path);
    case 'root of all':
      return symlinkSync('/', path);
    case 'pipe':
      return void spawnSync('mkfifo', [path]);
    case 'file':
      return writeFileSync(path, 'planted', { flag: 'wx' });
    case 'folder':
      return mkdirSync(path);
  }
}
