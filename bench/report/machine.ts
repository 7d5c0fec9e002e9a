import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { MINIO_VERSION } from '../../test/support/minio.ts';
import { PEER_VERSIONS } from '../install/peers.ts';

/** A line each. */
export function describeMachine(isInMemory: boolean): readonly string[] {
  const processors = cpus();
  return [
    `${processors.length} processors (${processors[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 1024 ** 3)} GiB, ` +
      `${distribution()}, Linux ${release()}`,
    `Node ${process.versions.node}${versionOf('nginx', ['-v'])}${versionOf('go', ['version'])}`,
    `MinIO ${MINIO_VERSION}, ${PEER_VERSIONS.join(', ')}`,
    isInMemory
      ? 'the data of the servers and every destination in memory (tmpfs)'
      : 'the data of the servers and every destination on disk',
  ];
}

function distribution(): string {
  return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
}

function versionOf(program: string, args: readonly string[]): string {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) return '';
  const version = /\d+\.\d+[\w.]*/.exec(`${stdout}${stderr}`)?.[0];
  return version === undefined ? '' : `, ${program} ${version}`;
}
