import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findDir } from '../../src/stages/choose-dir.ts';
import { contextFor } from './context.ts';

const scratch = mkdtempSync(join(tmpdir(), 'choose-dir-'));
const store = join(scratch, 'store');
const temporary = join(scratch, 'tmp');
const unusable = join(scratch, 'file', 'models');
const ownTmpdir = process.env['TMPDIR'];
before(() => {
  for (const folder of [store, temporary]) mkdirSync(folder);
  writeFileSync(join(scratch, 'file'), '');
  process.env['TMPDIR'] = temporary;
});
after(() => {
  if (ownTmpdir === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = ownTmpdir;
  rmSync(scratch, { recursive: true });
});

test('where no dir of the settings can be used, the HF_HOME of the server is', async () => {
  const home = join(scratch, 'store-of-models');
  assert.equal(await dirChosen(home), home);
});

test('the HF_HOME of the server is left out where it lies in the folder of the store', async () => {
  for (const home of [store, join(store, 'hf'), `${scratch}/tmp/../store/hf`])
    assert.match((await dirChosen(home)).slice(temporary.length), /^\/model-cache-/, home);
});

async function dirChosen(home: string): Promise<string> {
  const context = { ...contextFor({ store: `file://${store}`, dir: [unusable] }), env: { HF_HOME: home } };
  const { chosen } = await findDir(context, ({ dir, freeBytes }) =>
    Promise.resolve({ dir, freeBytes, plan: undefined }),
  );
  return chosen.dir;
}
