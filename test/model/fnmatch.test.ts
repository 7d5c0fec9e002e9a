import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fnmatch } from '../../src/model/fnmatch.ts';

/** Every row was checked with Python's fnmatch.fnmatchcase. */
describe('a glob means what it means to hf download', () => {
  const rows: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
    ['*', 'a/b/c', true],
    ['*', '.gitattributes', true],
    ['*', 'sub/.hidden/x', true],
    ['*.safetensors', 'sub/w.safetensors', true],
    ['*.safetensors', 'w.safetensors.index.json', false],
    ['F5TTS_v1_Base/*', 'F5TTS_v1_Base/deep/w.bin', true],
    ['F5TTS_v1_Base/*', 'F5TTS_v1_Base_bigvgan/w.bin', false],
    ['F5TTS_v1_Base', 'F5TTS_v1_Base/w.bin', false],
    ['*/config.json', 'a/b/config.json', true],
    ['*/config.json', 'config.json', false],
    ['a*c', 'a/b/c', true],
    ['a/*/b', 'a/b', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a?c', 'a/c', true],
    ['w-0000[1-3].bin', 'w-00002.bin', true],
    ['w-0000[1-3].bin', 'w-00004.bin', false],
    ['w[!0-9].bin', 'wx.bin', true],
    ['w[!0-9].bin', 'w1.bin', false],
    ['w[^x].bin', 'wy.bin', false],
    ['w[^x].bin', 'wx.bin', true],
    ['[w', '[w', true],
    ['[!]', '[!]', true],
    ['w[]x]', 'w]', true],
    ['w[!]x]', 'wx', false],
    ['w[a-]', 'w-', true],
    ['w[z-a]', 'wm', false],
    ['w[!z-a]', 'wm', true],
    ['w[\\d]', 'w1', false],
    ['w[*]', 'wx', false],
    ['w[*]', 'w*', true],
    ['w.bin', 'wxbin', false],
    ['W.bin', 'w.bin', false],
    ['{a,b}.bin', 'a.bin', false],
    ['{a,b}.bin', '{a,b}.bin', true],
    ['!w.bin', 'x.bin', false],
    ['!w.bin', '!w.bin', true],
    ['@(a|b)', 'a', false],
    ['a+', 'aa', false],
    ['model (1).bin', 'model (1).bin', true],
    ['model (?).bin', 'model (1).bin', true],
    ['a|b', 'a|b', true],
    ['a|b', 'a', false],
    ['*|b', 'a', false],
    ['a$', 'a', false],
    ['**', 'a/b', true],
    ['**/w.bin', 'a/w.bin', true],
    ['**/w.bin', 'w.bin', false],
    ['a/**/w.bin', 'a/w.bin', false],
    ['./w.bin', 'w.bin', false],
    ['[[:alpha:]]', 'a', false],
    ['\\w.bin', 'w.bin', false],
    ['?', '模', true],
    ['', 'w.bin', false],
  ];
  for (const [pattern, path, matches] of rows) {
    test(`${JSON.stringify(pattern)} ${matches ? 'matches' : 'leaves'} ${path}`, () =>
      assert.equal(fnmatch(pattern)(path), matches));
  }

  const greedy: readonly (readonly [pattern: string, path: string])[] = [
    ['*****.bin', 'w'.repeat(120)],
    ['*a*a*a*a*a*a*a*b', 'a'.repeat(50)],
  ];
  for (const [pattern, path] of greedy) {
    test(`${pattern} is decided at once: a start must not hang on a glob`, () => {
      const start = performance.now();
      assert.equal(fnmatch(pattern)(path), false);
      assert.ok(performance.now() - start < 250);
    });
  }
});
