import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { layout } from '../cache/layout.ts';
import { refuseForeignFolder, refuseShared, type OwnPlace } from '../cache/own-folder.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
const MAX_BYTES = 1024 * 1024;

/** Appends lines to the dir's write-back.log, and never throws: what cannot be written is lost. */
export function logFile(place: OwnPlace): (line: string) => void {
  return (line) => {
    const fd = openLogFile(place);
    if (fd === undefined) return;
    try {
      writeSync(fd, line);
    } catch {
      // A full disk.
    } finally {
      closeSync(fd);
    }
  };
}

/**
 * The dir's write-back.log, open for appending; begun anew when it has grown larger than 1 MiB. Undefined when it
 * cannot be opened, or is none of ours. The caller closes it.
 */
export function openLogFile({ dir, owner }: OwnPlace): number | undefined {
  let fd: number | undefined;
  try {
    refuseForeignFolder(dir, owner);
    fd = openSync(layout.writeBackLog(dir), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
    const stats = fstatSync(fd);
    refuseShared(layout.writeBackLog(dir), stats);
    if (stats.size > MAX_BYTES) ftruncateSync(fd);
    return fd;
  } catch {
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }
}
