// Every npm script starts with this line, so that none runs by accident on a machine's own, older Node.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `Wanted: Node 24 or newer for development. Found: ${process.version} at ${process.execPath}.\n` +
      'Next: run `npm ci` (it brings Node 24 on Linux), then use `npm run ...`; elsewhere install Node 24.',
  );
  process.exit(1);
}
