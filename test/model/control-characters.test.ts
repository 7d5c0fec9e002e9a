import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inOneLine } from '../../src/model/control-characters.ts';

test('a run of control characters, C1 and DEL among them, is one space', () => {
  assert.equal(inOneLine('a\r\nb\u001b[2Jc\u009b2J\u007fd\u0085'), 'a b [2Jc 2J d ');
});

test('everything else stays', () => {
  const text = '\u00a0modèle – 模型 🙂 ~';
  assert.equal(inOneLine(text), text);
});
