import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { probeNameFolding } from '../../src/cache/name-folding.ts';
import { NO_MOUNTS, withOwnMounts } from '../support/mounts.ts';
import { CacheDir } from './cache-dir.ts';

const scratch = new CacheDir();
after(() => rmSync(scratch.path, { recursive: true }));

const NEVER = { ofCase: false, ofForm: false };
const onLinux = process.platform === 'linux' ? false : 'names are bytes on Linux only';

test('where names are bytes, none is taken for another, and nothing is left', { skip: onLinux }, () => {
  const dir = new CacheDir(scratch.path);
  assert.deepEqual(probeNameFolding(dir.path), NEVER);
  assert.deepEqual(readdirSync(dir.path), []);
});

test('a folder that cannot be written to is the disk’s own error', () => {
  assert.throws(() => probeNameFolding(scratch.at('missing')), { code: 'ENOENT' });
});

describe('on file systems that fold names', { skip: NO_MOUNTS }, () => {
  const rows: readonly { name: string; make: string; folding: typeof NEVER }[] = [
    {
      name: 'ext4 with folded names',
      make: `mkfs.ext4 -q -O casefold "$IMAGE"; mount -o loop "$IMAGE" "$AT"; mkdir "$AT/names"; chattr +F "$AT/names"`,
      folding: { ofCase: true, ofForm: true },
    },
    {
      name: 'tmpfs with folded names',
      make: `mount -t tmpfs -o casefold=utf8-12.1.0 tmpfs "$AT"; mkdir "$AT/names"; chattr +F "$AT/names"`,
      folding: { ofCase: true, ofForm: true },
    },
    {
      name: 'vfat',
      make: `mkfs.vfat "$IMAGE"; mount -o loop "$IMAGE" "$AT"; mkdir "$AT/names"`,
      folding: { ofCase: true, ofForm: false },
    },
  ];
  for (const { name, make, folding } of rows) {
    test(name, async (context) => {
      const dir = new CacheDir(scratch.path);
      mkdirSync(dir.at('mounted'));
      const probe = `const { probeNameFolding } = await import(process.env.PROBE);
        console.log(JSON.stringify(probeNameFolding(process.env.AT + '/names')));`;
      const made = await withOwnMounts(
        `truncate -s 16M "$IMAGE"; ${make}; echo made; "$NODE" --input-type=module -e "$CODE"`,
        {
          IMAGE: dir.at('image'),
          AT: dir.at('mounted'),
          NODE: process.execPath,
          CODE: probe,
          PROBE: new URL('../../src/cache/name-folding.ts', import.meta.url).href,
        },
      );
      const [isMade, answer = ''] = made.stdout.split('\n');
      if (isMade !== 'made')
        return context.skip(`it cannot be made here: ${made.stderr.trim().slice(0, 200)}`);
      assert.deepEqual(JSON.parse(answer), folding);
    });
  }
});
