import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { limitedMemory } from '../support/memory-limit.ts';
import type { Rig } from './rig.ts';
import { SERVER_RUNS } from './running.ts';

/** What stands before a command, so that it runs in another place than ours. They can be put one behind the other. */
export type Wrapper = readonly string[];

/** A shell script goes first, with `$1`, `$2` and so on; what it changes in its own process, the command finds changed. */
export function after(script: string, ...args: readonly string[]): Wrapper {
  return ['/bin/sh', '-c', `${script}\nshift ${args.length}\nexec "$@"`, 'sh', ...args];
}

/** As another user, who has no entry in the passwd file, and none of root's rights. */
export function asUser(uid: number, gid = uid): Wrapper {
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
}

/** A dir that is there already, and belongs to this user. */
export function dirFor(rig: Rig, uid: number, gid = uid): string {
  const dir = join(rig.scratch, 'models');
  mkdirSync(dir);
  chownSync(dir, uid, gid);
  return dir;
}

/** In a mount namespace of its own, which a shell script changes first. */
export function withMounts(script: string, ...args: readonly string[]): Wrapper {
  return ['unshare', '--mount', ...after(`set -e\n${script}`, ...args)];
}

/** As PID 1 of a PID namespace, as in a container. */
export function asPid1(): Wrapper {
  return ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
}

/** Everything is read-only but this folder, and what is mounted below it. */
export function readOnlyBut(folder: string): Wrapper {
  const script = `
    while read -r _ _ _ _ point _; do mount -o remount,bind,ro "$(printf '%b' "$point")" || :; done 2>/dev/null </proc/self/mountinfo
    mount --bind "$1" "$1"
    mount -o remount,bind,rw "$1"`;
  return withMounts(script, folder);
}

/** In a PID namespace of its own, with a /proc that is mounted so. */
export function withProc(options: string): Wrapper {
  const mount = 'mount -t proc -o "$1" proc /proc';
  return ['unshare', '--pid', '--fork', '--kill-child', ...withMounts(mount, options)];
}

/** As a user who has so many processes that Node can start its threads, and nothing else (`ulimit -u`). */
export function withoutChildren(uid: number): Wrapper {
  const count = `
    for (let i = 0; i < 8; i += 1) fs.stat('/', () => undefined);
    setTimeout(() => console.log(fs.readdirSync('/proc/self/task').length), 100)`;
  const threads = Number(spawnSync(process.execPath, ['-e', count], { encoding: 'utf8' }).stdout);
  return ['prlimit', `--nproc=${threads}:${threads}`, ...asUser(uid)];
}

/** Where none of these programs can be executed. */
export function without(rig: Rig, ...programs: readonly string[]): Wrapper {
  const hide =
    'touch "$1"; for name in $2; do mount --bind "$1" "$(readlink -f "$(command -v "$name")")"; done';
  return withMounts(hide, join(rig.scratch, 'not-executable'), programs.join(' '));
}

/** For where no shell is, or none should be. */
export const NODE_SERVER = [
  process.execPath,
  '-e',
  `const env = Object.entries(process.env).map(([name, value]) => name + '=' + value + '\\0').join('');
   fs.writeFileSync(process.argv[1], env); console.log('${SERVER_RUNS}')`,
];

/** In a control group that may use so many bytes of memory; what it reads and writes of files counts, and gives way. */
export function withMemory(rig: Rig, bytes: number): Wrapper {
  const group = limitedMemory({ after: (cleanup) => rig.later(cleanup as () => unknown) }, bytes);
  if ('why' in group) throw new Error(group.why);
  return after('echo $$ >"$1"', group.joinFile);
}
