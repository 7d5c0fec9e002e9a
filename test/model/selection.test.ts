import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { catalogTree, currentCommits } from '../../src/model/catalog.ts';
import {
  matcher,
  parseModelSpec,
  PRESETS,
  wishesFor,
  type Selection,
  type Wish,
} from '../../src/model/selection.ts';
import { A, B, C, EVERYTHING, selection, TORCH, view, type Contents } from './builders.ts';

describe('a model is named', () => {
  const rows: readonly { text: string; repo: string; revision?: string; glob?: string }[] = [
    { text: 'org/model', repo: 'org/model' },
    { text: 'gpt2', repo: 'gpt2' },
    { text: 'org/model@main', repo: 'org/model', revision: 'main' },
    { text: `org/model@${A}`, repo: 'org/model', revision: A },
    { text: 'org/model@refs/pr/1', repo: 'org/model', revision: 'refs/pr/1' },
    { text: 'org/model:*.bin', repo: 'org/model', glob: '*.bin' },
    { text: 'org/model:sub/', repo: 'org/model', glob: 'sub/' },
    { text: 'org/model@v1.0:a:b c', repo: 'org/model', revision: 'v1.0', glob: 'a:b c' },
    { text: 'org/model:x@y', repo: 'org/model', glob: 'x@y' },
  ];
  for (const { text, repo, revision, glob } of rows) {
    test(text, () => assert.deepEqual(parseModelSpec(text), { text, repo, revision, glob }));
  }

  for (const text of [
    '',
    ' ',
    '/',
    'org/',
    '/model',
    'a/b/c',
    '@main',
    ':x',
    'org/model@',
    'org/model:',
    'org model',
  ]) {
    test(`${JSON.stringify(text)} names none`, () => {
      assert.throws(() => parseModelSpec(text), { code: 'setting-invalid', found: text });
    });
  }

  test('by the whole of its name', () => {
    for (const text of ['org/mode', 'model', 'org', 'Org/model', 'org--model', 'hub/models--org--model'])
      assert.equal(wishWith(text), 'not-selected', text);
    assert.equal(wishWith('org/mode', 'org/model'), 'selected');
  });

  function wishWith(...texts: readonly string[]): Wish {
    const tree = catalogTree(view({ snapshots: { [A]: { 'w.bin': 'weights' } } }));
    const models = texts.map((text) => ({ text, repo: text, revision: undefined, glob: undefined }));
    return wishesFor(tree, { models, exclude: [] }, currentCommits(tree)).wishFor(A, 'w.bin');
  }
});

test('of several globs one is enough, none matches nothing, and a folder is all of it', () => {
  assert.equal(matcher(['*.bin', '*.json'])('config.json'), true);
  assert.equal(matcher(['*.bin', '*.json'])('README.md'), false);
  assert.equal(matcher([])('README.md'), false);
  assert.equal(matcher(['F5TTS_v1_Base/'])('F5TTS_v1_Base/deep/w.bin'), true);
  assert.equal(matcher(['F5TTS_v1_Base/'])('F5TTS_v1_Base'), false);
  assert.equal(matcher(['F5TTS_v1_Base'])('F5TTS_v1_Base/w.bin'), false);
});

describe('a path of a snapshot is', () => {
  const contents: Contents = {
    snapshots: {
      [A]: { 'w.bin': 'old' },
      [B]: { 'w.bin': 'new', 'sub/c.json': 'c' },
      [C]: { 'w.bin': 'pinned' },
    },
    refs: { main: B, 'refs/pr/1': A },
    retired: [A],
  };
  const withoutPr = { ...contents, refs: { main: B } };

  const rows: readonly {
    name: string;
    of?: Contents;
    wants: Selection;
    commit?: string;
    file: string;
    wish: Wish;
  }[] = [
    { name: 'selected when nothing is named', wants: EVERYTHING, file: 'w.bin', wish: 'selected' },
    {
      name: 'selected when its commit never had a ref',
      wants: EVERYTHING,
      commit: C,
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'selected when another ref has its commit',
      wants: EVERYTHING,
      commit: A,
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'old when every ref has left its commit',
      of: withoutPr,
      wants: EVERYTHING,
      commit: A,
      file: 'w.bin',
      wish: 'old-revision',
    },
    {
      name: 'selected by the name of its repo',
      wants: selection(['org/model']),
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'old though its repo is named',
      of: withoutPr,
      wants: selection(['org/model']),
      commit: A,
      file: 'w.bin',
      wish: 'old-revision',
    },
    {
      name: 'not selected by another repo',
      wants: selection(['org/other']),
      file: 'w.bin',
      wish: 'not-selected',
    },
    {
      name: 'not even old, by another repo',
      of: withoutPr,
      wants: selection(['org/other']),
      commit: A,
      file: 'w.bin',
      wish: 'not-selected',
    },
    { name: 'selected by a branch', wants: selection(['org/model@main']), file: 'w.bin', wish: 'selected' },
    {
      name: 'not selected by the branch of another commit',
      wants: selection(['org/model@main']),
      commit: C,
      file: 'w.bin',
      wish: 'not-selected',
    },
    {
      name: 'selected by a pull request',
      wants: selection(['org/model@refs/pr/1']),
      commit: A,
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'selected by its commit',
      wants: selection([`org/model@${C}`]),
      commit: C,
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'selected by its commit though that is old',
      of: withoutPr,
      wants: selection([`org/model@${A}`]),
      commit: A,
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'not selected by a branch that is not there',
      wants: selection(['org/model@dev']),
      file: 'w.bin',
      wish: 'not-selected',
    },
    {
      name: 'selected by a glob',
      wants: selection(['org/model:sub/']),
      file: 'sub/c.json',
      wish: 'selected',
    },
    {
      name: 'not selected by a glob for others',
      wants: selection(['org/model:sub/']),
      file: 'w.bin',
      wish: 'not-selected',
    },
    {
      name: 'selected by one of two globs',
      wants: selection(['org/model:sub/', 'org/model:w.*']),
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'selected by branch and glob',
      wants: selection(['org/model@main:w.*']),
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'not selected by the glob of another branch',
      wants: selection(['org/model@refs/pr/1:w.*']),
      file: 'w.bin',
      wish: 'not-selected',
    },
    { name: 'excluded', wants: selection([], ['*.bin']), file: 'w.bin', wish: 'excluded' },
    {
      name: 'excluded by the name of its repo',
      wants: selection([], ['org/model/sub/']),
      file: 'sub/c.json',
      wish: 'excluded',
    },
    {
      name: 'excluded though it is named',
      wants: selection(['org/model'], ['org/*']),
      file: 'w.bin',
      wish: 'excluded',
    },
    {
      name: 'not excluded by the name of another repo',
      wants: selection([], ['org/other/*']),
      file: 'w.bin',
      wish: 'selected',
    },
    {
      name: 'not excluded by its place on the disk',
      wants: selection([], ['hub/*', 'snapshots/*']),
      file: 'w.bin',
      wish: 'selected',
    },
  ];
  for (const { name, of = contents, wants, commit = B, file, wish } of rows) {
    test(name, () => {
      const tree = catalogTree(view(of));
      assert.equal(wishesFor(tree, wants, currentCommits(tree)).wishFor(commit, file), wish);
    });
  }
});

describe('a file of a folder is', () => {
  const tree = catalogTree(view({ tree: TORCH }));
  const rows: readonly { name: string; wants: Selection; wish: Wish }[] = [
    { name: 'selected when nothing is named', wants: EVERYTHING, wish: 'selected' },
    { name: 'not selected when models are', wants: selection(['org/model']), wish: 'not-selected' },
    { name: 'excluded by its path', wants: selection([], ['torch/hub/checkpoints/*.pth']), wish: 'excluded' },
  ];
  for (const { name, wants, wish } of rows) {
    test(name, () => assert.equal(wishesFor(tree, wants, new Set()).wishFor(undefined, 'vgg.pth'), wish));
  }
});

test('the preset of F5-TTS has the checkpoint and the vocoder, and nothing else', () => {
  const specs = (PRESETS.get('f5-tts') ?? []).map(parseModelSpec);
  const wish = (tree: string, file: string): Wish => {
    const catalog = catalogTree(view({ tree, snapshots: { [A]: { [file]: 'x' } }, refs: { main: A } }));
    return wishesFor(catalog, { models: specs, exclude: [] }, currentCommits(catalog)).wishFor(A, file);
  };
  const [f5, vocos] = ['hub/models--SWivid--F5-TTS', 'hub/models--charactr--vocos-mel-24khz'];
  assert.equal(wish(f5, 'F5TTS_v1_Base/model_1250000.safetensors'), 'selected');
  assert.equal(wish(vocos, 'config.yaml'), 'selected');
  assert.equal(wish(vocos, 'pytorch_model.bin'), 'selected');
  assert.equal(wish(f5, 'F5TTS_Base/model_1200000.safetensors'), 'not-selected');
  assert.equal(wish('hub/models--openai--whisper-large-v3-turbo', 'model.safetensors'), 'not-selected');
});
