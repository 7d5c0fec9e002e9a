import { defineConfig } from 'rolldown';

export default defineConfig({
  input: 'src/main.ts',
  platform: 'node',
  // The SDK's ES build is smaller, and keeps each credential provider in a chunk of its own.
  resolve: { mainFields: ['module', 'main'] },
  output: { dir: 'dist', format: 'esm', minify: true, sourcemap: true, cleanDir: true },
});
