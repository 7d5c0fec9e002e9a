import { writeSync } from 'node:fs';

/**
 * The standard streams belong to the server. Node makes a pipe non-blocking as soon as anything so much as looks at
 * `process.stdin`, `stdout` or `stderr` (to import `node:process` or `node:util` is enough), and the server would
 * inherit that. So whoever looks finds these instead; importing this file first is what makes it true.
 */
for (const [fd, name] of ['stdin', 'stdout', 'stderr'].entries()) {
  const stream = {
    fd,
    isTTY: false,
    write: (text: string): boolean => {
      try {
        writeSync(fd, text);
      } catch {
        // A warning of Node's that nobody can read.
      }
      return true;
    },
    // `console` asks for these, and what a library warns of must not become an error.
    listenerCount: (): number => 0,
    once: (): unknown => stream,
    removeListener: (): unknown => stream,
  };
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
}
