import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandWords } from '../../../bench/report/command-words.ts';

const STORE = {
  set: { name: 'none', sizes: [], dir: '', bytes: 0, files: new Map() },
  endpoint: 'http://127.0.0.1:4711',
  region: 'us-east-1',
  bucket: 'test-12ab',
  accessKeyId: '',
  secretAccessKey: '',
  lock: '',
};

function words(...argv: readonly string[]): string {
  return commandWords({ argv, env: {} }, STORE, '/tmp/scratch/restored');
}

test('a command is told without the paths, ports and buckets of one machine', () => {
  assert.equal(
    words(
      '/opt/s5cmd',
      '--endpoint-url',
      STORE.endpoint,
      'cp',
      's3://test-12ab/models/hub/*',
      '/tmp/scratch/restored/hub/',
    ),
    "s5cmd --endpoint-url ENDPOINT cp 's3://BUCKET/models/hub/*' HUB/",
  );
  assert.equal(words('/opt/wire-limit', 'get', '127.0.0.1', '4711', '8'), 'wire-limit get ADDRESS PORT 8');
  assert.equal(words('node', '-e', ''), "node -e ''");
});
