import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The access mode of open(2), in the octal `flags` line of /proc/PID/fdinfo/FD. */
const WRITE_MODES = 0o3;

/**
 * Paths that some process of this machine has open for writing: such a file is not finished, however still it looks.
 * Only processes that may be looked at count; without /proc, none do.
 */
export function pathsOpenForWriting(): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const pid of numbersIn('/proc')) {
    for (const fd of numbersIn(`/proc/${pid}/fd`)) {
      const path = writtenPath(pid, fd);
      if (path !== undefined) paths.add(path);
    }
  }
  return paths;
}

function writtenPath(pid: string, fd: string): string | undefined {
  try {
    const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
    if (!path.startsWith('/')) return undefined;
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & WRITE_MODES) === 0 ? undefined : path;
  } catch {
    return undefined;
  }
}

function numbersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
