import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonShape, tooMuchIn, type JsonShape } from '../../src/model/json-shape.ts';

describe('the shape of JSON', () => {
  const rows: readonly (readonly [text: string, shape: JsonShape])[] = [
    ['', { values: 1, opened: 0, depth: 0 }],
    ['1', { values: 1, opened: 0, depth: 0 }],
    ['[]', { values: 2, opened: 1, depth: 1 }],
    ['[1,2,3]', { values: 4, opened: 1, depth: 1 }],
    ['{"a":{"b":[1]},"c":2}', { values: 5, opened: 3, depth: 3 }],
    ['[[],[[]],[]]', { values: 8, opened: 5, depth: 3 }],
    ['["[[[{{{,,,"]', { values: 2, opened: 1, depth: 1 }],
    [String.raw`["\"[,", "\\", [","]]`, { values: 5, opened: 2, depth: 2 }],
    [']]]][', { values: 2, opened: 1, depth: 0 }],
    ['["never closed [[[,', { values: 2, opened: 1, depth: 1 }],
  ];
  for (const [text, shape] of rows)
    test(JSON.stringify(text), () => assert.deepEqual(jsonShape(text), shape));
});

describe('JSON that would fill memory', () => {
  const inText = (text: string): string => JSON.stringify({ a: text });
  for (const [what, text, isHarmful] of [
    ['is none of few values, however deep', '{"a":'.repeat(8000), false],
    ['is none whose strings have what values have between them', inText(',[{'.repeat(100_000)), false],
    ['is one of many values', `[${'0,'.repeat(100_000)}0]`, true],
    [
      'is one of many values behind such strings',
      `[${inText('[,'.repeat(9))},${'{},'.repeat(100_000)}0]`,
      true,
    ],
    [
      'is one of objects in each other, each with a name',
      `[${Array.from({ length: 4000 }, () => `${'{"9999":'.repeat(30)}1${'}'.repeat(30)}`).join()}]`,
      true,
    ],
    ['is one that is deep', `${'['.repeat(70_000)}"${'x'.repeat(1_000_000)}"${']'.repeat(70_000)}`, true],
  ] as const)
    test(what, () => assert.equal(tooMuchIn(text) !== undefined, isHarmful));
});
