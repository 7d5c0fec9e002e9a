import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { FolderStore } from '../../src/store/folder-store.ts';
import { contentOf, drain, listed, soon } from '../store/bodies.ts';
import { surroundingsOf } from './surroundings.ts';

const scratch = mkdtempSync(join(tmpdir(), 'hostile-store-'));
after(() => rmSync(scratch, { recursive: true }));

const KEY = 'hub/models--org--model/blobs/x';

describe('what is no file is no object, and nobody waits for it', () => {
  const plants: readonly (readonly [name: string, plant: (path: string, elsewhere: string) => void])[] = [
    ['a pipe', (path) => void spawnSync('mkfifo', [path])],
    ['a link to a file', (path, elsewhere) => symlinkSync(join(elsewhere, 'precious'), path)],
    ['a link to a device that never ends', (path) => symlinkSync('/dev/zero', path)],
    ['a link to itself', (path) => symlinkSync(path, path)],
    ['a link to nothing', (path) => symlinkSync('/nonexistent', path)],
    ['a folder', (path) => mkdirSync(path)],
  ];
  for (const [name, plant] of plants) {
    test(name, async () => {
      const { root, store, elsewhere } = fresh();
      await store.put('beside', Buffer.from('honest'));
      mkdirSync(join(root, dirname(KEY)), { recursive: true });
      plant(join(root, KEY), elsewhere);
      assert.deepEqual(await soon(listed(store, '')), ['beside']);
      assert.equal(await soon(store.head(KEY)), undefined);
      await assert.rejects(async () => drain(await soon(store.get(KEY))), { code: 'object-missing' });
      assert.equal(String(await contentOf(store, 'beside')), 'honest');
    });
  }
});

test('a socket is no object', async (context) => {
  const { createServer } = await import('node:net');
  const { root, store } = fresh();
  mkdirSync(root, { recursive: true });
  const server = createServer();
  await new Promise<void>((done) => server.listen(join(root, 'socket'), done));
  context.after(() => server.close());
  assert.deepEqual(await soon(listed(store, '')), []);
  await assert.rejects(soon(store.get('socket')), { code: 'object-missing' });
});

describe('nothing is written where a planted link leads', () => {
  for (const planted of ['hub', 'hub/models--org--model', dirname(KEY), '.model-cache', '.model-cache/tmp']) {
    test(planted, async () => {
      const { root, store, elsewhere } = fresh();
      mkdirSync(join(root, dirname(planted)), { recursive: true });
      symlinkSync(elsewhere, join(root, planted));
      const before = surroundingsOf(elsewhere);
      await assert.rejects(store.put(KEY, Buffer.from('bytes')), {
        code: 'store-failed',
        message: /is no folder, so nothing is written below it/,
      });
      assert.deepEqual(surroundingsOf(elsewhere), before);
    });
  }

  test('and an object that is a link is replaced, not followed', async () => {
    const { root, store, elsewhere } = fresh();
    mkdirSync(join(root, dirname(KEY)), { recursive: true });
    symlinkSync(join(elsewhere, 'precious'), join(root, KEY));
    const before = surroundingsOf(elsewhere);
    await store.put(KEY, Buffer.from('bytes'));
    assert.equal(String(await contentOf(store, KEY)), 'bytes');
    assert.deepEqual(surroundingsOf(elsewhere), before);
  });
});

test('a listing shows that it lives, and ends when it is told to', async () => {
  const { store } = fresh();
  for (let index = 0; index < 20; index += 1) await store.put(`k${index}`, Buffer.from('x'));
  let signs = 0;
  await Array.fromAsync(store.list('', undefined, () => (signs += 1)));
  assert.ok(signs >= 20);
  const stop = new AbortController();
  const why = new Error('enough');
  const listing = Array.fromAsync(
    store.list('', stop.signal, () => {
      if (signs-- === 10) stop.abort(why);
    }),
  );
  await assert.rejects(listing, why);
});

function fresh(): { readonly root: string; readonly store: FolderStore; readonly elsewhere: string } {
  const parent = mkdtempSync(join(scratch, 'store-'));
  const elsewhere = join(parent, 'elsewhere');
  mkdirSync(join(elsewhere, 'models--org--model', 'blobs'), { recursive: true });
  writeFileSync(join(elsewhere, 'precious'), 'not yours');
  const root = join(parent, 'store');
  return { root, store: new FolderStore(root), elsewhere };
}
