import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  cgroupFolders,
  memoryLeft,
  type CgroupFolder,
  type CgroupMemory,
} from '../../src/model/cgroup-memory.ts';

const MIB = 1024 * 1024;
const MEMORY = '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory';
const UNIFIED = '31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate';

describe('the control groups of a process are found', () => {
  const rows: readonly { name: string; cgroup: string; mountinfo: string; folders: readonly string[] }[] = [
    {
      name: 'on a machine with version 2, with those above',
      cgroup: '0::/system.slice/pod.service\n',
      mountinfo: UNIFIED,
      folders: [
        '2 /sys/fs/cgroup/system.slice/pod.service',
        '2 /sys/fs/cgroup/system.slice',
        '2 /sys/fs/cgroup',
      ],
    },
    {
      name: 'in a container with a namespace of its own',
      cgroup: '0::/\n',
      mountinfo: UNIFIED,
      folders: ['2 /sys/fs/cgroup'],
    },
    {
      name: 'in a container that sees the path of outside',
      cgroup: '0::/docker/1a2b\n',
      mountinfo: '31 23 0:28 /docker/1a2b /sys/fs/cgroup ro - cgroup2 cgroup rw',
      folders: ['2 /sys/fs/cgroup'],
    },
    {
      name: 'in a group below that of the container',
      cgroup: '0::/docker/1a2b/mine\n',
      mountinfo: '31 23 0:28 /docker/1a2b /sys/fs/cgroup ro - cgroup2 cgroup rw',
      folders: ['2 /sys/fs/cgroup/mine', '2 /sys/fs/cgroup'],
    },
    {
      name: 'outside of what is mounted',
      cgroup: '0::/../other\n',
      mountinfo: UNIFIED,
      folders: ['2 /sys/fs/cgroup'],
    },
    {
      name: 'with version 1',
      cgroup: '5:cpu,cpuacct:/a\n4:memory:/pod/1\n1:name=systemd:/x\n',
      mountinfo: `32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n${MEMORY}`,
      folders: ['1 /sys/fs/cgroup/memory/pod/1', '1 /sys/fs/cgroup/memory/pod', '1 /sys/fs/cgroup/memory'],
    },
    {
      name: 'with both, where they are',
      cgroup: '4:memory:/pod\n0::/\n',
      mountinfo: `${MEMORY}\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`,
      folders: ['1 /sys/fs/cgroup/memory/pod', '1 /sys/fs/cgroup/memory', '2 /sys/fs/cgroup/unified'],
    },
    {
      name: 'where nothing is told, at the usual places',
      cgroup: '',
      mountinfo: '',
      folders: ['2 /sys/fs/cgroup', '1 /sys/fs/cgroup/memory'],
    },
    {
      name: 'where lines make no sense, at the usual places',
      cgroup: 'nonsense\n0:\n::::\n',
      mountinfo: 'nonsense\n - \n1 2 3 - cgroup2',
      folders: ['2 /sys/fs/cgroup', '1 /sys/fs/cgroup/memory'],
    },
  ];
  for (const { name, cgroup, mountinfo, folders } of rows) {
    const told = ({ version, folder }: CgroupFolder): string => `${version} ${folder}`;
    test(name, () => assert.deepEqual(cgroupFolders(cgroup, mountinfo).map(told), folders));
  }
});

describe('the memory that is left', () => {
  const TOTAL = 1024 * MIB;
  const limit = (bytes: number | string): CgroupMemory => ({
    limits: [`${bytes}\n`],
    usage: `${100 * MIB}\n`,
    stat: '',
  });
  const rows: readonly (readonly [string, 1 | 2, CgroupMemory, number | undefined])[] = [
    ['is the limit without what is used', 2, limit(256 * MIB), 156 * MIB],
    ['is not known without a limit', 2, limit('max'), undefined],
    ['is not known where version 1 means none', 1, limit('9223372036854771712'), undefined],
    ['is not known where the limit is all the memory there is', 2, limit(TOTAL), undefined],
    ['is not known where the files are not there', 2, { limits: ['', ''], usage: '', stat: '' }, undefined],
    ['is not known where use is not told', 2, { ...limit(256 * MIB), usage: '' }, undefined],
    ['is nothing when more is used', 2, limit(50 * MIB), 0],
    [
      'is bound by the lower of two limits',
      2,
      { ...limit(0), limits: ['max\n', `${200 * MIB}\n`] },
      100 * MIB,
    ],
    [
      'is more by files that were only read',
      2,
      { ...limit(256 * MIB), stat: `anon 5\ninactive_file ${40 * MIB}\nactive_file 9\n` },
      196 * MIB,
    ],
    [
      'is more by those of the groups below, in version 1',
      1,
      { ...limit(256 * MIB), stat: `inactive_file 7\ntotal_inactive_file ${40 * MIB}\n` },
      196 * MIB,
    ],
    [
      'is never more than the limit',
      2,
      { ...limit(256 * MIB), stat: `inactive_file ${500 * MIB}\n` },
      256 * MIB,
    ],
  ];
  for (const [name, version, files, left] of rows)
    test(name, () => assert.equal(memoryLeft(version, files, TOTAL), left));
});
