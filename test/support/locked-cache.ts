import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { modelCache, type Finished } from './program.ts';
import { makeRepo, put } from './tree.ts';

export const OLD = 'c1'.repeat(20);
export const NEW = 'c2'.repeat(20);
export const F5 = 'hub/models--SWivid--F5-TTS';
export const VOCOS = 'hub/models--charactr--vocos-mel-24khz';
/** Of F5TTS_v1_Base. */
export const WEIGHTS = randomBytes(200_000);
/** What follows the options of an init whose server says that it was started. */
export const SERVER = ['--write-back', 'off', '--', 'echo', 'served'];

/** A cache with F5-TTS in two parts, and vocos. */
export function fill(dir: string): void {
  makeRepo(join(dir, 'hub'), 'SWivid/F5-TTS', OLD, {
    'F5TTS_v1_Base/model.safetensors': { content: WEIGHTS },
    'F5TTS_Base/model.safetensors': { content: Buffer.from('v0') },
    'README.md': { content: Buffer.from('# F5'), lfs: false },
  });
  makeRepo(join(dir, 'hub'), 'charactr/vocos-mel-24khz', OLD, {
    'config.yaml': { content: Buffer.from('a: 1'), lfs: false },
  });
}

export function upload(dir: string, env: Record<string, string>): Promise<Finished> {
  return modelCache(['upload', '--dir', dir, '--also', 'engines'], { env });
}

/** Writes a lock of the bucket as it is to a file. Returns its text. */
export async function lockInto(
  file: string,
  selection: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const { code, stdout, stderr } = await modelCache(['lock', ...selection], { env });
  assert.equal(code, 0, stderr);
  put(file, stdout);
  return stdout;
}

export function weightsIn(dir: string, commit: string): string {
  return join(dir, F5, 'snapshots', commit, 'F5TTS_v1_Base/model.safetensors');
}
