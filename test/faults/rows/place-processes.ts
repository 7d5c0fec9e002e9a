import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, asPid1, dirFor, NODE_SERVER, withMounts, without, withoutChildren } from '../confined.ts';
import { fullPipe } from '../full-pipe.ts';
import type { Rig, RunOptions } from '../rig.ts';
import type { Row } from '../row.ts';
import type { Ran, Running } from '../running.ts';
import { COMPLETED, NOTHING } from './shared.ts';

const OK = { within: 5, code: 'ok', published: 'everything' } as const;
const NO_PROC = 'there is no /proc: network volumes that stop answering are not noticed…; mount it';
const MOUNTS = ['root', 'mount namespaces'] as const;
const NO_FLOCK = 'there is no flock in PATH: …; install util-linux';
const TO_FLOCK = 'Install util-linux where pods are killed before they have restored large files.';
const STOPPED = {
  within: 5,
  code: 'interrupted',
  published: 'what was verified',
  server: 'is not started',
  exitCode: 143,
  warnings: 0,
  leavesPartialFiles: true,
} as const;

/** What the process is given, and what it may do. */
export const processes: readonly Row[] = [
  {
    fault: 'there is no /proc',
    sees: NO_PROC,
    todo: 'Mount it.',
    quick: true,
    needs: MOUNTS,
    expected: { ...OK, warnings: 1 },
    run: (rig) => rig.init({ wrapper: withMounts('mount -t tmpfs none /proc') }),
  },
  {
    fault: 'there is no /proc, and Node was started by its name alone: it does not know where it is',
    sees: NO_PROC,
    todo: 'Mount it.',
    needs: MOUNTS,
    expected: { ...OK, warnings: 1 },
    run: (rig) =>
      rig.init({
        wrapper: [
          ...withMounts('mount -t tmpfs none /proc'),
          ...after('PATH="$(dirname "$1"):$PATH"; shift; set -- node "$@"'),
        ],
      }),
  },
  {
    fault: 'it is PID 1, and then the server is',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    needs: MOUNTS,
    expected: OK,
    run: (rig) => rig.init({ wrapper: asPid1(), serverDoes: 'test $$ = 1' }),
  },
  {
    fault: 'a stop signal comes in the middle (docker stop, a deleted pod)',
    sees: 'stopped by SIGTERM',
    todo: 'Nothing. The next start goes on with what is here.',
    quick: true,
    expected: STOPPED,
    run: (rig) => stopped(rig, {}, ({ pid }) => pid),
  },
  {
    fault: 'the same as PID 1',
    sees: 'stopped by SIGTERM',
    todo: 'Nothing. The next start goes on with what is here.',
    needs: MOUNTS,
    expected: STOPPED,
    run: (rig) => stopped(rig, { wrapper: asPid1() }, ({ pid }) => onlyChildOf(pid)),
  },
  {
    fault: 'at most 64 files may be open (ulimit -n 64)',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: OK,
    run: (rig) => rig.init({ wrapper: ['prlimit', '--nofile=64:64'] }),
  },
  {
    fault: 'no file may be larger than 2 MB (ulimit -f)',
    sees: 'S3 model sync failed: EFBIG: file too large…; the server will download to …',
    todo: 'Raise the limit: the server is held to it as well.',
    expected: { within: 5, code: 'disk-failed', published: 'what was verified' },
    run: (rig) => rig.init({ wrapper: ['prlimit', '--fsize=2000000'] }),
  },
  {
    fault: 'PATH leads nowhere, and the server has a path of its own',
    sees: COMPLETED,
    todo: NOTHING,
    quick: true,
    expected: OK,
    run: (rig) => rig.init({ env: { PATH: '/nonexistent' } }),
  },
  {
    fault: 'there is no shell, no env and no flock, as in an image without a distribution',
    sees: NO_FLOCK,
    todo: TO_FLOCK,
    needs: MOUNTS,
    expected: OK,
    run: (rig) => rig.init({ wrapper: without(rig, 'sh', 'env', 'flock'), server: NODE_SERVER }),
  },
  {
    fault: 'no process can be started (ulimit -u)',
    sees: 'nothing will be uploaded by itself: … EAGAIN',
    todo: 'Raise the limit, or use `--write-back off`.',
    quick: true,
    needs: ['root'],
    expected: { ...OK, warnings: 1 },
    run: (rig) => rig.init(withNoProcess(rig, 12_346, 'auto')),
  },
  {
    fault: 'no process can be started (ulimit -u), and --write-back wait would start the server as one',
    sees: 'nothing will be uploaded by itself: … EAGAIN',
    todo: 'Raise the limit, or use `--write-back off`. The server takes the place of this program.',
    needs: ['root'],
    expected: { ...OK, warnings: 1 },
    run: (rig) => rig.init(withNoProcess(rig, 12_347, 'wait')),
  },
  {
    fault: 'the locale is C, and the time zone is none',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) =>
      rig.init({ dir: join(rig.scratch, 'Übung'), env: { LC_ALL: 'C', LANG: 'C', TZ: ':Mars/Phobos' } }),
  },
  {
    fault: 'stderr is closed',
    sees: [],
    todo: NOTHING,
    expected: OK,
    run: (rig) => rig.init({ wrapper: after('exec 2>&-') }),
  },
  {
    fault: 'stderr is a full pipe that nobody reads',
    sees: [],
    todo: 'Nothing. After a second nobody is waited for; what could not be said is in the report.',
    quick: true,
    expected: OK,
    run: async (rig) => rig.init({ wrapper: after('pipe=$1; exec 2<>"$pipe"', fullPipe(rig)) }),
  },
  {
    fault: 'whoever read stderr has gone',
    sees: [],
    todo: NOTHING,
    expected: OK,
    run: (rig) =>
      rig.init({
        wrapper: after('pipe=$1; mkfifo "$pipe"; exec 3<>"$pipe" 2>"$pipe" 3>&-', join(rig.scratch, 'pipe')),
      }),
  },
  {
    fault: 'stdin and stdout are closed',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) => rig.init({ wrapper: after('exec <&- >&-') }),
  },
  {
    fault: 'NODE_OPTIONS are for the server: a heap of 64 MB',
    sees: COMPLETED,
    todo: NOTHING,
    expected: OK,
    run: (rig) =>
      rig.init({
        env: { NODE_OPTIONS: '--max-old-space-size=64 --trace-warnings' },
        serverDoes: 'test "$NODE_OPTIONS" = "--max-old-space-size=64 --trace-warnings"',
      }),
  },
];

/** A user of its own, since all of a user's processes count. */
function withNoProcess(rig: Rig, uid: number, writeBack: 'auto' | 'wait'): RunOptions {
  return { dir: dirFor(rig, uid), wrapper: withoutChildren(uid), args: ['--write-back', writeBack] };
}

/** SIGTERM for the process of `pidOf`, in the middle of a restore. */
async function stopped(rig: Rig, options: RunOptions, pidOf: (running: Running) => number): Promise<Ran> {
  const { endpoint } = await rig.proxy([{ type: 'bandwidth', attributes: { rate: 1000 } }]);
  const running = await rig.start('init', { ...options, endpoint });
  await running.said(/^Starting S3 model sync/);
  await sleep(500);
  process.kill(pidOf(running), 'SIGTERM');
  return running.ended;
}

function onlyChildOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}
