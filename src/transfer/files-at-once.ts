import { readFileSync } from 'node:fs';
import type { PaceBounds } from '../model/pace.ts';

const MOST_FILES = 16;
const MOST_CONNECTIONS = 256;
/** Node's own, those of its threads, and what it takes to start another program for a moment. */
const OTHERS = 48;
/** A staged file, and its journal. */
const PER_FILE = 2;

/** How many files may be staged at once without running into the process's limit of open files. */
export function filesAtOnce(): number {
  return filesWithin(ownLimits());
}

/** How many connections may be open beside them. */
export function connectionsAtOnce(): number {
  return connectionsWithin(ownLimits());
}

/** What this process can open no more of is not asked for: half of its connections are for parts, half for small files. */
export function withinOpenFiles({ width, partBytes }: PaceBounds): PaceBounds {
  return { width: Math.min(width, Math.floor(connectionsAtOnce() / 2)), partBytes };
}

/** Of the text of /proc/PID/limits. What it does not say is no limit. */
export function filesWithin(limits: string): number {
  return Math.min(MOST_FILES, Math.max(1, Math.floor(openFilesLeft(limits) / 2 / PER_FILE)));
}

/** Half of what is left; the other half is for files. */
export function connectionsWithin(limits: string): number {
  return Math.min(MOST_CONNECTIONS, Math.max(2, Math.floor(openFilesLeft(limits) / 2)));
}

function openFilesLeft(limits: string): number {
  const soft = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return soft - OTHERS;
}

function ownLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8');
  } catch {
    return '';
  }
}
