import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatDocument } from '../../../bench/report/document.ts';
import { emptyRecord, keep, readRecord, type Measurement } from '../../../bench/report/record.ts';
import { row, run } from './rows.ts';

test('a table that is measured again replaces the earlier one, and the others stay', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'model-cache-test-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'record.json');
  keep(readRecord(file), 'small', measurement('Small files', 1), file);
  keep(readRecord(file), 'cold', measurement('Cold', 1), file);
  keep(readRecord(file), 'small', measurement('Small files again', 2), file);

  const document = formatDocument(readRecord(file));
  assert.deepEqual(
    [...document.matchAll(/^## (.*)$/gm)].map(([, title]) => title),
    [
      'The machine',
      'How to read it',
      'Cold',
      'Small files again',
      'What bounds it',
      'What it does not show',
      'Commands',
    ],
  );
  assert.match(document, /\| s5cmd \| 1 \(0\) \| 2\.00 /);
  assert.match(document, /^- s5cmd: `s5cmd cp`$/m);
  assert.equal(document.match(/^- two processors$/gm)?.length, 1);
});

test('tables of different machines say which', () => {
  const here = measurement('Cold', 1);
  const there = { ...measurement('Small files', 1), machine: ['four processors'] };
  const document = formatDocument({ cold: here, small: there });
  assert.match(document, /^Cold:\n\n- two processors\n\nSmall files:\n\n- four processors$/m);
});

test('a table without rows is its reason', () => {
  const { rounds, machine } = measurement('', 1);
  const tables = [{ title: 'Links', text: ['Not run: no root.'], columns: [], rows: [] }];
  const document = formatDocument(keep(emptyRecord(), 'links', { rounds, machine, tables }, undefined));
  assert.match(document, /^## Links\n\nNot run: no root\.\n\n## What/m);
});

function measurement(title: string, wall: number): Measurement {
  const rows = [row('s5cmd', 's5cmd', [run(wall)], { command: 's5cmd cp' })];
  return { rounds: 1, machine: ['two processors'], tables: [{ title, text: [], columns: [], rows }] };
}
