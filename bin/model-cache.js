#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
// In words that every Node understands, so that an old one can be told what is wanted.
const [major, minor] = process.versions.node.split('.').map(Number);
const isOld = major < 22 || (major === 22 && minor < 15);
if (isOld) {
  console.error(
    `WARN: model-cache wants Node 22.15 or newer, and this is ${process.version} (${process.execPath}): ` +
      'nothing is restored. Put a newer node first in PATH.',
  );
}
if (isOld && process.argv[2] !== 'init') process.exitCode = 70;
else start();

function start() {
  try {
    createRequire(import.meta.url)('../dist/main.cjs');
  } catch (error) {
    if (existsSync(new URL('../dist/main.cjs', import.meta.url))) throw error;
    console.error(
      `ERROR: model-cache is not built: wanted ${fileURLToPath(new URL('../dist/main.cjs', import.meta.url))}, found nothing; ` +
        '`npm ci && npm run build` in a clone, or install what `npm pack` makes there',
    );
    process.exitCode = 70;
  }
}
