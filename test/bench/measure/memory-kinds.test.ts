import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { mostMemoryOf, parseSmaps, totalOf } from '../../../bench/measure/memory-kinds.ts';

const SMAPS = `00400000-01800000 r-xp 00001000 fe:00 1234                       /usr/bin/node with a space
Size:              20480 kB
Rss:                 100 kB
Pss:                  50 kB
02000000-02800000 rw-p 00000000 00:00 0                          [heap]
Rss:                  20 kB
7f1000000000-7f1000400000 rw-p 00000000 00:00 0 
Rss:                   7 kB
7f1000400000-7f1004000000 ---p 00000000 00:00 0 
Rss:                   0 kB
7f1234500000-7f1234600000 rw-p 00000000 00:00 0 
Rss:                   3 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                  [stack]
Rss:                   1 kB
VmFlags: rd wr
`;

test('what is in memory is of files, of malloc, or of others', () => {
  assert.deepEqual(parseSmaps(SMAPS), { files: 100 * 1024, malloc: 27 * 1024, others: 4 * 1024 });
  assert.deepEqual(parseSmaps(''), { files: 0, malloc: 0, others: 0 });
});

test('a process is followed to its end: most of what it had at once is told', async () => {
  const MiB = 1024 * 1024;
  const program = `let b = Buffer.alloc(${64 * MiB}, 1); setTimeout(() => { b = undefined; }, 300);`;
  const most = await mostMemoryOf(spawn(process.execPath, ['-e', program], { stdio: 'ignore' }));
  assert.ok(totalOf(most) > 64 * MiB, `found ${totalOf(most)} bytes`);
  assert.ok(most.files > 0);
});
