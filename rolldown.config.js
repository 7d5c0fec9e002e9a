import { defineConfig } from 'rolldown';

const common = {
  platform: 'node',
  // Native: it stays what npm has installed, and may be missing.
  external: ['@napi-rs/blake-hash'],
  // The SDK's ES build is smaller, and keeps each credential provider in a chunk of its own.
  resolve: { mainFields: ['module', 'main'] },
};
const output = { dir: 'dist', format: 'esm', minify: true, sourcemap: true };

/** By itself and as CommonJS: it has to stay small, and the loader of ES modules alone takes 3 MiB. */
const alone = (name, file) =>
  Object.assign({}, common, {
    input: { [name]: file },
    output: { ...output, format: 'cjs', entryFileNames: '[name].cjs' },
  });

export default defineConfig([
  { ...common, input: { main: 'src/main.ts' }, output: { ...output, cleanDir: true } },
  alone('write-back', 'src/write-back/main.ts'),
  alone('receiver', 'src/wire/receiver-thread.ts'),
  alone('digester', 'src/cache/digest-thread.ts'),
  alone('prover', 'src/cache/prover-thread.ts'),
]);
