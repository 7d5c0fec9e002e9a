import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../../src/log.ts';
import { tellApart } from '../../src/stages/tell-apart.ts';

const HERE = ['hub/models--a--b', 'hub/datasets--a--b', 'torch/hub/checkpoints', 'piper'];

test('where the exported variables lead to all repos, nothing is said', () => {
  assert.deepEqual(told(HERE), []);
});

test('a dir that is named a level too high is told, and the right one', () => {
  const [line, ...more] = told([...HERE, 'huggingface/hub/models--a--b', 'huggingface/hub/models--a--c']);
  assert.match(line ?? '', /^2 models are not below \/m\/hub .*, or use --dir \/m\/huggingface$/);
  assert.deepEqual(more, []);
});

test('a cache of its own is told, too', () => {
  const [line] = told(['mine/models--a--b']);
  assert.match(line ?? '', /^1 model is not below \/m\/hub \(mine\/models--a--b\).* has to be told$/);
});

function told(trees: readonly string[]): readonly string[] {
  const lines: string[] = [];
  const info: Log['info'] = (_, message) => void lines.push(message);
  tellApart({ debug: info, info, warn: info, error: info }, '/m', trees);
  return lines;
}
