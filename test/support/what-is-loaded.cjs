// Required before a program: says on stderr, when that ends, which files and which modules of Node's it has loaded.
const { writeSync } = require('node:fs');

process.once('exit', () => {
  const files = Object.keys(require.cache).filter((file) => file !== __filename);
  const builtins = process.moduleLoadList
    .filter((name) => name.startsWith('NativeModule '))
    .map((name) => name.slice('NativeModule '.length));
  writeSync(2, `loaded ${JSON.stringify({ files, builtins })}\n`);
});
