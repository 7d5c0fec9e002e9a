import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What a name begins with that is a process's own. */
const UNKNOWN = '?';
let name: string | undefined;

/**
 * The name of this machine's present boot, the same in all its containers. Where the kernel does not tell, every
 * process has a name of its own: what holds under one boot only is then not believed by the next run.
 */
export function thisBoot(): string {
  name ??= bootId() ?? `${UNKNOWN}${randomUUID()}`;
  return name;
}

/** Whether machines have been switched off in between, or are two: nothing that one had in memory only is in the other's. */
export function isAnotherBoot(before: string): boolean {
  const isKnown = ![before, thisBoot()].some((boot) => boot.startsWith(UNKNOWN));
  return isKnown && before !== thisBoot();
}

function bootId(): string | undefined {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return /^[0-9a-f-]{36}$/.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
