// Required before a program, with --expose-internals: each of its threads says on stderr, when it has begun, how many of
// Node's own modules it takes as Node has compiled them, and which it had to compile itself.
const { writeSync } = require('node:fs');
const { isMainThread } = require('node:worker_threads');
const { internalBinding } = require('internal/test/binding');

function say() {
  const { compiledWithCache, compiledWithoutCache } = internalBinding('builtins').getCacheUsage();
  writeSync(
    2,
    `thread ${JSON.stringify({ taken: compiledWithCache.size, anew: [...compiledWithoutCache] })}\n`,
  );
}

if (!isMainThread) setTimeout(say, 0);
