#!/usr/bin/env node
import { createRequire } from 'node:module';
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
else createRequire(import.meta.url)('../dist/main.cjs');
