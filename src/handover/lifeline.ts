import { Socket } from 'node:net';

/**
 * For a process that may live no longer than the one that started it: stdin is a pipe to that one. When it closes, we
 * are asked to stop as by a signal.
 */
export function stopWithParent(): void {
  const lifeline = new Socket({ fd: 0, readable: true, writable: false });
  lifeline.on('error', () => undefined);
  lifeline.once('close', () => process.kill(process.pid, 'SIGTERM'));
  lifeline.resume().unref();
}
