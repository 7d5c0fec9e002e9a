import assert from 'node:assert/strict';
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { RemoteMounts } from '../../src/cache/remote-mounts.ts';
import { scratchDir } from '../support/program.ts';

function mountsAt(point: string): RemoteMounts {
  return new RemoteMounts(
    `27 1 254:0 / / rw - ext4 /dev/vda rw\n40 27 0:50 / ${point} rw - nfs4 host:/x rw\n`,
  );
}

describe('the network volume on the way to a path', () => {
  test('is found on the path itself, below it, and not beside it', () => {
    const mounts = mountsAt('/net');
    assert.equal(mounts.onWayTo('/net'), '/net');
    assert.equal(mounts.onWayTo('/net/models/hub'), '/net');
    assert.equal(mounts.onWayTo('/network/models'), undefined);
    assert.equal(mounts.isEmpty, false);
  });

  test('is found through links, absolute and relative, and through folders that are links', async (context) => {
    const scratch = realpathSync(await scratchDir(context));
    const mounts = mountsAt(join(scratch, 'net'));
    mkdirSync(join(scratch, 'a'));
    symlinkSync(join(scratch, 'net', 'models'), join(scratch, 'a', 'absolute'));
    symlinkSync('../net', join(scratch, 'a', 'relative'));
    symlinkSync('a', join(scratch, 'b'));
    for (const path of ['a/absolute', 'a/relative/models', 'b/absolute', 'b/relative'])
      assert.equal(mounts.onWayTo(join(scratch, path)), join(scratch, 'net'), path);
    assert.equal(mounts.onWayTo(join(scratch, 'b', 'nothing', 'here')), undefined);
  });

  test('a link that leads to itself leads nowhere', async (context) => {
    const scratch = realpathSync(await scratchDir(context));
    symlinkSync('loop', join(scratch, 'loop'));
    assert.equal(mountsAt('/net').onWayTo(join(scratch, 'loop')), undefined);
  });

  test('is none where the kernel lists none', () => {
    const mounts = new RemoteMounts('');
    assert.equal(mounts.isEmpty, true);
    assert.equal(mounts.onWayTo('/net/models'), undefined);
  });
});
