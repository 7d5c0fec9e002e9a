import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { after, test, type TestContext } from 'node:test';
import { Flusher } from '../../src/cache/flusher.ts';
import { CacheDir } from './cache-dir.ts';
import { hangingDatasync, mockDatasync } from './datasync.ts';

const dir = new CacheDir();
after(() => rmSync(dir.path, { recursive: true }));

const { signal } = new AbortController();
const PATH = dir.at(dir.file('staged', 'content'));

test('a file that was flushed says so', async () => {
  assert.equal(await new Flusher().flush(PATH, signal), true);
});

test('a file system that knows no flushing has not flushed; one that fails is an error', async (context) => {
  const failing = async (code: string): Promise<boolean> => {
    await mockDatasync(context, () => Promise.reject(Object.assign(new Error(code), { code })));
    return new Flusher().flush(PATH, signal);
  };
  assert.equal(await failing('EINVAL'), false);
  await assert.rejects(failing('EIO'), { code: 'EIO' });
  await assert.rejects(failing('ENOSPC'), { code: 'ENOSPC' });
});

test('what cannot be opened, or is a link, was not flushed', async () => {
  dir.link('link', PATH);
  for (const name of ['nothing', 'link'])
    assert.equal(await new Flusher().flush(dir.at(name), signal), false);
});

test('one file is flushed after the other', async (context) => {
  const flusher = new Flusher();
  let [now, most] = [0, 0];
  await mockDatasync(context, async () => {
    now += 1;
    most = Math.max(most, now);
    await Promise.resolve();
    now -= 1;
  });
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => flusher.flush(PATH, signal))), [true, true, true]);
  assert.equal(most, 1);
});

test('a disk that does not answer is waited for once', async (context) => {
  const asked = await hangingDatasync(context);
  const flusher = new Flusher(20);
  const flushed = await Promise.all([1, 2, 3].map(() => flusher.flush(PATH, signal)));
  assert.deepEqual(flushed, [false, false, false]);
  assert.equal(asked.length, 1);
});

test('a stop is not kept waiting', async (context) => {
  await hangingDatasync(context);
  const stop = new AbortController();
  const flushed = new Flusher().flush(PATH, stop.signal);
  const why = new Error('stopped');
  setImmediate(() => stop.abort(why));
  await assert.rejects(flushed, why);
});

test('a flush that was given up keeps nobody from closing the file', async (context) => {
  await hangingDatasync(context);
  const writing = await open(PATH, 'r+');
  assert.equal(await new Flusher(20).flush(PATH, signal), false);
  await writing.close();
  assert.equal(
    await isClosedSoon(context, PATH),
    false,
    'closing waits for what hangs on the same descriptor',
  );
});

/** Whether a file can be closed on which a flush hangs. */
async function isClosedSoon(context: TestContext, path: string): Promise<boolean> {
  await hangingDatasync(context);
  const file: FileHandle = await open(path, 'r+');
  file.datasync().catch(() => undefined);
  const closed = file.close().then(() => true);
  return Promise.race([closed, new Promise<false>((resolve) => setTimeout(resolve, 100, false))]);
}
