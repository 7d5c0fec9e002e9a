import { whyNoFuse } from '../support/fault-fs.ts';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { canLimitMemory } from '../support/memory-limit.ts';

/** What not every machine has, and how to find out. */
const NEEDS = {
  root: () => process.getuid?.() === 0,
  openssl: () => runs('openssl', 'version'),
  'mount namespaces': () => runs('unshare', '--mount', 'true'),
  'user namespaces': () => runs('unshare', '--user', '--map-root-user', 'true'),
  'loop devices': () => process.getuid?.() === 0 && existsSync('/dev/loop-control'),
  fuse: () => whyNoFuse() === undefined,
  'memory cgroups': canLimitMemory,
};

export type Need = keyof typeof NEEDS;

/** What this machine lacks of it. */
export function lacking(needs: readonly Need[] = []): readonly Need[] {
  return needs.filter((need) => !NEEDS[need]());
}

function runs(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args).status === 0;
}
