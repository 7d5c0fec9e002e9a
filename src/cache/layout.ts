import { join } from 'node:path';

/** Everything of ours in a cache dir lies in one folder, out of every other program's way. */
const OURS = '.model-cache';

export const layout = {
  folder: (dir: string): string => join(dir, OURS),
  /** Files that are not whole or not proved yet. On the cache's own file system, so that a rename publishes them. */
  partial: (dir: string): string => join(dir, OURS, 'partial'),
  state: (dir: string): string => join(dir, OURS, 'state.json'),
  env: (dir: string): string => join(dir, OURS, 'env'),
  /** Of a dir that a start fell back to: the dirs that it could not use. */
  insteadOf: (dir: string): string => join(dir, OURS, 'instead-of'),
  report: (dir: string): string => join(dir, OURS, 'report.json'),
  /** Held by the write-back of this dir for as long as it lives. */
  writeBackLock: (dir: string): string => join(dir, OURS, 'write-back.lock'),
  writeBackLog: (dir: string): string => join(dir, OURS, 'write-back.log'),
} as const;
