import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installOnce, runInstallStep } from '../../test/support/tool-cache.ts';

const SOURCES = {
  measured: ['measured.c'],
  'wire-limit': ['wire-limit.c', 'connection.c', 'digest.c', 'openssl.c', 'fail.c'],
  link: ['link.c'],
} as const;
export type NativeProgram = keyof typeof SOURCES;

const FOLDER = join(import.meta.dirname, '..', 'native');
const FLAGS = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];

/** The programs of bench/native, compiled by this machine's `cc`. */
export async function nativePrograms(): Promise<Readonly<Record<NativeProgram, string>>> {
  const names = Object.keys(SOURCES) as readonly NativeProgram[];
  const texts = readdirSync(FOLDER)
    .toSorted()
    .map((file) => readFileSync(join(FOLDER, file)));
  const version = createHash('sha256').update(Buffer.concat(texts)).digest('hex').slice(0, 16);
  const dir = await installOnce(`bench-native-${version}`, async (target) => {
    for (const name of names) await compile(name, join(target, name));
  });
  return Object.fromEntries(names.map((name) => [name, join(dir, name)])) as Record<NativeProgram, string>;
}

async function compile(name: NativeProgram, program: string): Promise<void> {
  try {
    const sources = SOURCES[name].map((file) => join(FOLDER, file));
    await runInstallStep('cc', [...FLAGS, '-o', program, ...sources]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      'wanted a C compiler for the measuring programs, found no cc; run `apt-get install gcc libc6-dev`',
      {
        cause: error,
      },
    );
  }
}
