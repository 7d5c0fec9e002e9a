/** A mounted file system, as the kernel lists it. */
export interface Mount {
  /** The folder it is mounted on. */
  readonly point: string;
  readonly type: string;
}

/**
 * Types whose files are on this machine, so that to touch one does not wait for another. What is not listed may be on
 * a network. Source: mount(8), and the storage drivers of container runtimes.
 */
const LOCAL_TYPES = new Set(
  (
    'ext2 ext3 ext4 xfs btrfs zfs bcachefs f2fs jfs nilfs2 reiserfs ntfs3 vfat exfat iso9660 udf squashfs erofs ' +
    'overlay aufs fuse.fuse-overlayfs tmpfs ramfs rootfs devtmpfs devpts hugetlbfs mqueue proc sysfs securityfs ' +
    'cgroup cgroup2 debugfs tracefs bpf pstore configfs binfmt_misc nsfs efivarfs'
  ).split(' '),
);

/** The lines of /proc/PID/mountinfo; what is no such line is left out. Source: proc_pid_mountinfo(5). */
export function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const point = before.split(' ')[4];
    const type = after.split(' ')[0];
    return point === undefined || type === undefined || type === ''
      ? []
      : [{ point: unescaped(point), type }];
  });
}

/** The mount that an absolute path without links is on: the innermost, and of two on one folder the later. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts
    .filter(({ point }) => point === '/' || path === point || path.startsWith(`${point}/`))
    .reduce<Mount | undefined>(
      (best, mount) => (mount.point.length >= (best?.point.length ?? 0) ? mount : best),
      undefined,
    );
}

/** Whether a file of it may be on another machine. The root is taken for local: without it nothing runs, not even this. */
export function mayBeRemote({ point, type }: Mount): boolean {
  return point !== '/' && !LOCAL_TYPES.has(type);
}

/** Space, tab, line end and backslash are written as three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}
