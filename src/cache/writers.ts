import { readlinkSync } from 'node:fs';
import { numbersIn, openFlags } from '../descriptors.ts';

/** The bits of the access mode, of which O_RDONLY has none. */
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
    return path.startsWith('/') && (openFlags(pid, fd) & WRITE_MODES) !== 0 ? path : undefined;
  } catch {
    return undefined;
  }
}
