import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readOptions } from '../../bench/options.ts';

describe('the options of the benchmark', () => {
  test('five rounds of everything make the document', () => {
    const { rounds, tables, tools, out } = readOptions([]);
    assert.equal(rounds, 5);
    assert.ok(tables.includes('links') && tools.includes('rclone'));
    assert.equal(out, 'docs/performance.md');
  });

  test('a part of it overwrites no document, unless the rest is on record', () => {
    assert.equal(readOptions(['--only', 'cold']).out, undefined);
    assert.equal(readOptions(['--tools', 's5cmd']).out, undefined);
    assert.equal(readOptions(['--quick']).out, undefined);
    assert.equal(readOptions(['--only', 'cold', '--out', 'part.md']).out, 'part.md');
    assert.equal(readOptions(['--only', 'cold', '--record', 'runs.json']).out, 'docs/performance.md');
  });

  test('tables keep their order, tools that are not known are told', () => {
    assert.deepEqual(readOptions(['--only', 'upload,cold']).tables, ['cold', 'upload']);
    assert.throws(() => readOptions(['--tools', 's5cmd,scp']), /found scp/);
    assert.throws(() => readOptions(['--rounds', '0']), /found 0/);
  });

  test('the quick one takes nothing that must be installed', () => {
    assert.deepEqual(readOptions(['--quick']).tools, ['model-cache', 'limit', 'node']);
  });
});
