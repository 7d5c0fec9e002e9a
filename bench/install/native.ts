import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installOnce, runInstallStep } from '../../test/support/tool-cache.ts';

const NATIVE = ['measured', 'wire-limit', 'link'] as const;
export type NativeProgram = (typeof NATIVE)[number];

const SOURCES = join(import.meta.dirname, '..', 'native');
const FLAGS = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];

/** The programs of bench/native, compiled by this machine's `cc`. */
export async function nativePrograms(): Promise<Readonly<Record<NativeProgram, string>>> {
  const texts = NATIVE.map((name) => readFileSync(sourceOf(name)));
  const version = createHash('sha256').update(Buffer.concat(texts)).digest('hex').slice(0, 16);
  const dir = await installOnce(`bench-native-${version}`, async (target) => {
    for (const name of NATIVE) await compile(name, join(target, name));
  });
  return Object.fromEntries(NATIVE.map((name) => [name, join(dir, name)])) as Record<NativeProgram, string>;
}

function sourceOf(name: NativeProgram): string {
  return join(SOURCES, `${name}.c`);
}

async function compile(name: NativeProgram, program: string): Promise<void> {
  try {
    await runInstallStep('cc', [...FLAGS, '-o', program, sourceOf(name)]);
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
