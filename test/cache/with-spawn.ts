import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/** Until the end of the test, `spawn` is this. */
export function withSpawn(context: TestContext, spawn: (program: string) => unknown): void {
  context.mock.method(childProcess, 'spawn', spawn);
  syncBuiltinESMExports();
  context.after(() => {
    context.mock.restoreAll();
    syncBuiltinESMExports();
  });
}
