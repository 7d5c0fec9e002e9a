import { readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { closeInherited, leaveBehind } from '../../src/handover/background.ts';

/**
 * `background-launcher.ts start OUT` leaves itself behind and becomes a sleep; left behind, it writes what it is to OUT
 * and stays.
 */
const [, program = '', how, out = ''] = process.argv;
if (how === 'start') {
  leaveBehind(program, ['stay', out], { ...process.env, LEFT: 'behind' });
  process.execve?.('/bin/sleep', ['sleep', '300'], {});
}
closeInherited();
const stat = readFileSync('/proc/self/stat', 'utf8')
  .replace(/^.*\) /s, '')
  .split(' ');
const found = {
  pid: process.pid,
  parent: process.ppid,
  session: Number(stat[3]),
  cwd: process.cwd(),
  left: process.env['LEFT'],
  standard: [0, 1, 2].map((fd) => readlinkSync(`/proc/self/fd/${fd}`)),
  leaked: readdirSync('/proc/self/fd').map(Number).filter(isLeaked),
};
writeFileSync(`${out}.tmp`, JSON.stringify(found));
renameSync(`${out}.tmp`, out);
setInterval(() => undefined, 1000);

function isLeaked(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    return fd > 2 && (Number.parseInt(flags, 8) & 0o2000000) === 0;
  } catch {
    return false;
  }
}
