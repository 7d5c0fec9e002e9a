import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from './rig.ts';

/** The path of a named pipe that takes not one byte more. To open it for reading, too, is to keep it open. */
export function fullPipe(rig: Rig): string {
  const path = join(rig.scratch, 'full-pipe');
  const { status, stderr } = spawnSync('mkfifo', [path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`wanted a named pipe, found:\n${stderr}`);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  rig.later(() => closeSync(fd));
  for (const size of [4096, 1]) fill(fd, Buffer.alloc(size));
  return path;
}

function fill(fd: number, piece: Buffer): void {
  try {
    for (;;) writeSync(fd, piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
}
