import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mayBeRemote, mountOf, parseMounts } from '../../src/model/mounts.ts';

const MOUNTINFO = String.raw`22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /runpod-volume rw,relatime shared:1 master:2 - fuse.juicefs JuiceFS:vol rw
41 27 0:51 / /mnt/my\040nfs rw - nfs4 host:/export rw,vers=4.2
42 27 0:52 / /mnt/over rw - nfs4 host:/under rw
43 27 0:53 / /mnt/over rw - tmpfs tmpfs rw
not a mount
`;

describe('the mounts of a machine', () => {
  const mounts = parseMounts(MOUNTINFO);

  test('are read from what the kernel lists, with spaces in names; other lines are left out', () => {
    assert.deepEqual(
      mounts.map(({ point, type }) => `${point} ${type}`),
      [
        '/proc proc',
        '/ ext4',
        '/runpod-volume fuse.juicefs',
        '/mnt/my nfs nfs4',
        '/mnt/over nfs4',
        '/mnt/over tmpfs',
      ],
    );
    assert.deepEqual(parseMounts(''), []);
  });

  for (const [path, point] of [
    ['/', '/'],
    ['/tmp/models', '/'],
    ['/runpod-volume', '/runpod-volume'],
    ['/runpod-volume/models', '/runpod-volume'],
    ['/runpod-volume2/models', '/'],
    ['/mnt/my nfs/x', '/mnt/my nfs'],
  ] as const) {
    test(`${path} is on ${point}`, () => {
      assert.equal(mountOf(path, mounts)?.point, point);
    });
  }

  test('of two on one folder, the later one is seen', () => {
    assert.equal(mountOf('/mnt/over/x', mounts)?.type, 'tmpfs');
  });

  for (const [point, type, isRemote] of [
    ['/data', 'ext4', false],
    ['/data', 'overlay', false],
    ['/data', 'tmpfs', false],
    ['/data', 'nfs4', true],
    ['/data', 'cifs', true],
    ['/data', 'fuse.juicefs', true],
    ['/data', 'fuse', true],
    ['/data', '9p', true],
    ['/data', 'autofs', true],
    ['/data', 'a-type-of-tomorrow', true],
    // Of gVisor and Kata: without its root nothing runs, not even this program.
    ['/', '9p', false],
    ['/', 'virtiofs', false],
  ] as const) {
    test(`${type} at ${point} ${isRemote ? 'may be' : 'is not'} on another machine`, () => {
      assert.equal(mayBeRemote({ point, type }), isRemote);
    });
  }
});
