import assert from 'node:assert/strict';
import { open, type FileHandle } from 'node:fs/promises';
import type { TestContext } from 'node:test';

/** Until the end of the test, every open file is flushed by this. */
export async function mockDatasync(
  context: TestContext,
  datasync: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(process.execPath);
  const proto = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  context.mock.method(proto, 'datasync', function flush(this: FileHandle) {
    return datasync(this);
  });
}

/** As on a disk that does not answer: the call is under way for ever, and the file counts it. Returns whose it was. */
export async function hangingDatasync(context: TestContext): Promise<readonly FileHandle[]> {
  const asked: FileHandle[] = [];
  await mockDatasync(context, (file) => {
    const proto = Object.getPrototypeOf(file) as object;
    const hold = Object.getOwnPropertySymbols(proto).find(({ description }) => description === 'kRef');
    assert.ok(hold, 'Node counts the calls of an open file in another way');
    (file as unknown as Record<symbol, () => void>)[hold]?.();
    asked.push(file);
    return new Promise(() => undefined);
  });
  return asked;
}
