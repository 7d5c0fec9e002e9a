import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { openFlags } from '../descriptors.ts';
import { isRunning, type ServerProcess } from '../handover/server-process.ts';

const { O_APPEND, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;

/**
 * Writes lines where the server writes its own, for as long as it runs. Opened for each line, so that its reader is not
 * kept waiting for us. Never throws and never waits: what cannot be written (a socket, a full pipe, a server that has
 * given up its rights) is lost here.
 */
export function serverStderr(server: ServerProcess): (line: string) => void {
  return (line) => {
    if (!isRunning(server)) return;
    let fd: number | undefined;
    try {
      fd = openSync(`/proc/${server.pid}/fd/2`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
      if (!fstatSync(fd).isFile() || isAppendedTo(server)) writeSync(fd, line);
    } catch {
      // Lost.
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  };
}

/** `2>file` without appending: the server goes on writing where it was, over whatever we would put there. */
function isAppendedTo({ pid }: ServerProcess): boolean {
  return (openFlags(pid, 2) & O_APPEND) !== 0;
}
