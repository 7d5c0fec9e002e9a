import { readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC, which Node's constants lack. */
export const CLOSES_ON_EXEC = 0o2000000;

/** With which flags of open(2) a process has a descriptor open. Throws when it has not, or may not be looked at. */
export function openFlags(pid: number | string, fd: number | string): number {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1];
  return Number.parseInt(flags ?? '0', 8);
}

/** The entries of a folder of /proc that are numbers: processes, descriptors. None where it cannot be read. */
export function numbersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}
