import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonShape, type JsonShape } from '../../src/model/json-shape.ts';

describe('the shape of JSON', () => {
  const rows: readonly (readonly [text: string, shape: JsonShape])[] = [
    ['', { values: 1, depth: 0 }],
    ['1', { values: 1, depth: 0 }],
    ['[]', { values: 2, depth: 1 }],
    ['[1,2,3]', { values: 4, depth: 1 }],
    ['{"a":{"b":[1]},"c":2}', { values: 5, depth: 3 }],
    ['[[],[[]],[]]', { values: 8, depth: 3 }],
    ['["[[[{{{,,,"]', { values: 2, depth: 1 }],
    [String.raw`["\"[,", "\\", [","]]`, { values: 5, depth: 2 }],
    [']]]][', { values: 2, depth: 0 }],
    ['["never closed [[[,', { values: 2, depth: 1 }],
  ];
  for (const [text, shape] of rows)
    test(JSON.stringify(text), () => assert.deepEqual(jsonShape(Buffer.from(text)), shape));
});
