import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readOptions, type Options } from '../../bench/options.ts';

describe('the options of the benchmark', () => {
  test('five rounds of everything make the document', () => {
    const { rounds, tables, tools, out } = optionsOf([]);
    assert.equal(rounds, 5);
    assert.ok(tables.includes('links') && tools.includes('rclone'));
    assert.equal(out, 'docs/performance.md');
  });

  test('a part of it overwrites no document, unless the rest is on record', () => {
    assert.equal(optionsOf(['--only', 'cold']).out, undefined);
    assert.equal(optionsOf(['--tools', 's5cmd']).out, undefined);
    assert.equal(optionsOf(['--quick']).out, undefined);
    assert.equal(optionsOf(['--only', 'cold', '--out', 'part.md']).out, 'part.md');
    assert.equal(optionsOf(['--only', 'cold', '--record', 'runs.json']).out, 'docs/performance.md');
  });

  test('tables keep their order, tools that are not known are told', () => {
    assert.deepEqual(optionsOf(['--only', 'upload,cold']).tables, ['cold', 'upload']);
    assert.throws(() => readOptions(['--tools', 's5cmd,scp']), /found scp/);
    assert.throws(() => readOptions(['--rounds', '0']), /found 0/);
  });

  test('who asks for help measures nothing', () => {
    assert.equal(readOptions(['--help', '--only', 'cold']), undefined);
  });

  test('the quick one takes nothing that must be installed', () => {
    assert.deepEqual(optionsOf(['--quick']).tools, ['model-cache', 'limit', 'proving-limit', 'node']);
  });
});

function optionsOf(args: readonly string[]): Options {
  const options = readOptions(args);
  assert.ok(options);
  return options;
}
