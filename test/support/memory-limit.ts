import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { cgroupFolders } from '../../src/model/cgroup-memory.ts';
import { eventually } from './eventually.ts';

/**
 * A control group that may use so many bytes of memory. Returns the file that a process writes its PID to for joining
 * it, or why there can be none.
 */
export function limitedMemory(
  context: Pick<TestContext, 'after'>,
  bytes: number,
): { readonly joinFile: string } | { readonly why: string } {
  const above = folderForGroups();
  if (above === undefined) return { why: 'no memory control group can be made here' };
  const folder = join(above.folder, `model-cache-test-${process.pid}-${Date.now()}`);
  try {
    mkdirSync(folder);
    context.after(() => eventually('nobody in the control group', () => isRemoved(folder)));
    writeFileSync(join(folder, above.version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
    return { joinFile: join(folder, 'cgroup.procs') };
  } catch (error) {
    return { why: `no memory control group can be made here: ${String(error)}` };
  }
}

/** Whether this machine lets us make one. */
export function canLimitMemory(): boolean {
  return process.geteuid?.() === 0 && folderForGroups() !== undefined;
}

/** A process that has just ended may still be in it. */
function isRemoved(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function folderForGroups(): ReturnType<typeof cgroupFolders>[number] | undefined {
  if (!existsSync('/proc/self/cgroup')) return undefined;
  const [cgroup, mountinfo] = ['cgroup', 'mountinfo'].map((name) =>
    readFileSync(`/proc/self/${name}`, 'utf8'),
  );
  return cgroupFolders(cgroup ?? '', mountinfo ?? '')
    .toReversed()
    .find(({ version, folder }) =>
      version === 1
        ? existsSync(join(folder, 'memory.limit_in_bytes'))
        : existsSync(join(folder, 'cgroup.subtree_control')) &&
          readFileSync(join(folder, 'cgroup.subtree_control'), 'utf8').includes('memory'),
    );
}
