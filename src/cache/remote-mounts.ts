import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { mayBeRemote, mountOf, parseMounts, type Mount } from '../model/mounts.ts';

/** As many links in a row as the kernel follows. */
const MAX_LINKS = 40;

/**
 * The file systems of this machine whose files may be on another one: to touch one whose server is away can take for
 * ever, and no signal ends the wait. Where the kernel does not list its mounts, none is known.
 */
export class RemoteMounts {
  readonly #mounts: readonly Mount[];

  constructor(mountinfo: string) {
    this.#mounts = parseMounts(mountinfo);
  }

  static read(): RemoteMounts {
    try {
      return new RemoteMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
    } catch {
      return new RemoteMounts('');
    }
  }

  get isEmpty(): boolean {
    return !this.#mounts.some(mayBeRemote);
  }

  /** The first of them on the way to a path, links followed. Nothing that is on it is touched. */
  onWayTo(path: string): string | undefined {
    let links = 0;
    let reached = '/';
    const ahead = names(absolute(path));
    for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
      const next = join(reached, name);
      const mount = mountOf(next, this.#mounts);
      if (mount !== undefined && mayBeRemote(mount)) return mount.point;
      const stats = statsOf(next);
      if (stats === undefined) return undefined;
      if (stats.isSymbolicLink()) {
        links += 1;
        if (links > MAX_LINKS) return undefined;
        const target = targetOf(next);
        if (target === undefined) return undefined;
        ahead.unshift(...names(resolve(reached, target)));
        reached = '/';
      } else {
        reached = next;
      }
    }
    return undefined;
  }
}

/**
 * What a start must not touch: everything on a network volume that has not just answered. Of those nobody asked, nobody
 * knows.
 */
export class OutOfReach {
  readonly #mounts: RemoteMounts;
  readonly #answering: readonly string[];

  /** `answering` are mounts. */
  constructor(mounts: RemoteMounts, answering: readonly string[]) {
    this.#mounts = mounts;
    this.#answering = answering;
  }

  has(path: string): boolean {
    const mount = this.#mounts.onWayTo(path);
    return mount !== undefined && !this.#answering.includes(mount);
  }
}

function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** In a folder that was removed, a relative path leads nowhere. */
function absolute(path: string): string {
  try {
    return resolve(path);
  } catch {
    return '/';
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
