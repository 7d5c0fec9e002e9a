import { basename, join } from 'node:path';
import type { Command } from '../contestants/contestant.ts';
import type { StoredSet } from '../stores/stored-set.ts';

/** A command without what is of one machine or one run: paths, ports, names of buckets. */
export function commandWords(
  { argv }: Command,
  { endpoint, bucket, caFile = '' }: StoredSet,
  dir: string,
): string {
  const { hostname, port } = endpoint === '' ? { hostname: '', port: '' } : new URL(endpoint);
  const names: readonly (readonly [string, string])[] = [
    [join(dir, 'hub'), 'HUB'],
    [dir, 'DIR'],
    [endpoint, 'ENDPOINT'],
    [bucket, 'BUCKET'],
    [caFile, 'CERTIFICATES'],
  ];
  return argv
    .map((word) => (word !== '' && word === hostname ? 'ADDRESS' : word))
    .map((word) => (word !== '' && word === port ? 'PORT' : word))
    .map((word) => names.reduce((text, [from, to]) => (from === '' ? text : text.replaceAll(from, to)), word))
    .map((word) => (word.startsWith('/') ? basename(word) : word))
    .map((word) => (word === '' || /[\s*]/.test(word) ? `'${word}'` : word))
    .join(' ');
}
