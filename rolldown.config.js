import { defineConfig } from 'rolldown';

const common = {
  platform: 'node',
  // The SDK's ES build is smaller, and keeps each credential provider in a chunk of its own.
  resolve: { mainFields: ['module', 'main'] },
};
const output = { dir: 'dist', format: 'esm', minify: true, sourcemap: true };

export default defineConfig([
  { ...common, input: { main: 'src/main.ts' }, output: { ...output, cleanDir: true } },
  // Built by itself: in a chunk that both share, it would load what only the other needs, and it has to stay small.
  { ...common, input: { 'write-back': 'src/write-back/main.ts' }, output },
]);
