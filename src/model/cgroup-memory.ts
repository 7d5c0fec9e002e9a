/** A folder in which the kernel tells what a control group may use; those above it limit it as well. */
export interface CgroupFolder {
  readonly version: 1 | 2;
  readonly folder: string;
}

/** The texts of the files in such a folder; empty where there is none. */
export interface CgroupMemory {
  /** The lowest counts. */
  readonly limits: readonly string[];
  readonly usage: string;
  readonly stat: string;
}

/** What the files are called. Source: cgroups(7), Documentation/admin-guide of the kernel. */
export const MEMORY_FILES = {
  1: {
    limits: ['memory.limit_in_bytes'],
    usage: 'memory.usage_in_bytes',
    stat: 'memory.stat',
    reclaimable: 'total_inactive_file',
  },
  2: {
    limits: ['memory.max', 'memory.high'],
    usage: 'memory.current',
    stat: 'memory.stat',
    reclaimable: 'inactive_file',
  },
} as const;

/** Where they are in a container whose mounts are not told. */
const USUAL_FOLDERS: readonly CgroupFolder[] = [
  { version: 2, folder: '/sys/fs/cgroup' },
  { version: 1, folder: '/sys/fs/cgroup/memory' },
];

/** The folders of a process's control groups, from /proc/PID/cgroup and /proc/PID/mountinfo; its own first. */
export function cgroupFolders(cgroup: string, mountinfo: string): readonly CgroupFolder[] {
  const mounts = mountinfo.split('\n').flatMap(cgroupMount);
  const folders = cgroup.split('\n').flatMap((line) => {
    const [, id, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    const version = id === '0' && controllers === '' ? 2 : 1;
    if (path === undefined || (version === 1 && controllers?.split(',').includes('memory') !== true))
      return [];
    const mount = mounts.find((candidate) => candidate.version === version);
    return mount === undefined ? [] : withAncestors(mount.point, pathBelow(mount.root, path), version);
  });
  return folders.length === 0 ? USUAL_FOLDERS : folders;
}

/**
 * Bytes that a control group may still use; undefined when it has no limit of its own. Files that were read and are
 * not in use count as used there, though they give way.
 */
export function memoryLeft(
  version: 1 | 2,
  { limits, usage, stat }: CgroupMemory,
  totalMemory: number,
): number | undefined {
  const limit = Math.min(...limits.map(bytesOrInfinity));
  const used = bytesOrInfinity(usage);
  if (limit >= totalMemory || !Number.isFinite(used)) return undefined;
  const { reclaimable } = MEMORY_FILES[version];
  const line = stat.split('\n').find((text) => text.startsWith(`${reclaimable} `));
  const givesWay = Number(line?.split(' ')[1] ?? 0) || 0;
  return Math.max(0, limit - Math.max(0, used - givesWay));
}

/** `max`, and what cannot be read, is no limit. */
function bytesOrInfinity(text: string): number {
  return /^\d+\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

interface CgroupMount {
  readonly version: 1 | 2;
  /** The folder of the hierarchy that is mounted. */
  readonly root: string;
  readonly point: string;
}

/** Source: proc_pid_mountinfo(5). */
function cgroupMount(line: string): readonly CgroupMount[] {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root = '', point = ''] = before.split(' ');
  const [type, , options = ''] = after.split(' ');
  if (type === 'cgroup2') return [{ version: 2, root, point }];
  return type === 'cgroup' && options.split(',').includes('memory') ? [{ version: 1, root, point }] : [];
}

/** In a container the mounted folder is often the process's own, whatever its path is outside. */
function pathBelow(root: string, path: string): string {
  if (root === '/') return path.includes('..') ? '' : path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : '';
}

function withAncestors(point: string, below: string, version: 1 | 2): readonly CgroupFolder[] {
  const names = below.split('/').filter((name) => name !== '');
  return [...names, ''].map((_, index) => ({
    version,
    folder: [point, ...names.slice(0, names.length - index)].join('/'),
  }));
}
