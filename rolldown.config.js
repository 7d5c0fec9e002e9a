import { defineConfig } from 'rolldown';

const common = {
  platform: 'node',
  // Native: it stays what npm has installed, and may be missing.
  external: ['@napi-rs/blake-hash'],
  // The SDK's ES build is smaller, and keeps each credential provider in a chunk of its own.
  resolve: { mainFields: ['module', 'main'] },
};
/**
 * CommonJS: Node loads it faster, and hands it its own modules as they are. To an ES module, `node:http` is a copy of
 * all that is in it, for which Node loads its browser APIs: 25 ms of every start.
 */
const output = {
  dir: 'dist',
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: '[name]-[hash].cjs',
  minify: true,
  sourcemap: true,
};

/** By itself: it has to stay small. */
const alone = (name, file) => Object.assign({}, common, { input: { [name]: file }, output });

/** One file each, with all that they import: every file more takes time to be found, read and compiled. */
const groups = [
  { name: 'first', test: /src\/main\.ts$/, priority: 2 },
  { name: 'start', test: /src\/(run|commands\/init|store\/s3-store)\.ts$/, priority: 1 },
];

export default defineConfig([
  {
    ...common,
    input: { main: 'src/main.ts' },
    output: { ...output, cleanDir: true, codeSplitting: { groups } },
  },
  alone('write-back', 'src/write-back/main.ts'),
  alone('receiver', 'src/wire/receiver-thread.ts'),
  alone('digester', 'src/cache/digest-thread.ts'),
  alone('part-digester', 'src/cache/part-digester-thread.ts'),
]);
