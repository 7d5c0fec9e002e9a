#!/usr/bin/env node
// CommonJS: for an ES module, Node first makes copies of its own modules, which takes it milliseconds of every start.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const MAIN = join(__dirname, '../dist/main.cjs');

// In words that every Node understands, so that an old one can be told what is wanted.
const [major, minor] = process.versions.node.split('.').map(Number);
const isOld = major < 22 || (major === 22 && minor < 15);
if (isOld) {
  console.error(
    `WARN: model-cache wants Node 22.15 or newer, and this is ${process.version} (${process.execPath}): ` +
      'it may restore nothing. Put a newer node first in PATH.',
  );
}
if (isOld && process.argv[2] !== 'init') process.exitCode = 70;
else start();

function start() {
  try {
    require(MAIN);
  } catch (error) {
    if (existsSync(MAIN)) throw error;
    console.error(
      `ERROR: model-cache is not built: wanted ${MAIN}, found nothing; ` +
        '`npm ci && npm run build` in a clone, or install what `npm pack` makes there',
    );
    process.exitCode = 70;
  }
}
