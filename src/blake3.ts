import { createRequire } from 'node:module';
import type * as blakeHash from '@napi-rs/blake-hash';

/** A running BLAKE3 digest: several times as fast as SHA-256 (npm run bench -- --only digests). */
export type Blake3 = Pick<blakeHash.Blake3Hasher, 'update' | 'digest'>;

let maker: (() => Blake3) | 'none' | undefined;

/**
 * Makes such digests; undefined where this machine has no build of the package: whoever needs one does without. Loaded
 * when it is first asked for, and as CommonJS: the loader of ES modules alone takes a thread 3 MiB.
 */
export function loadBlake3(): (() => Blake3) | undefined {
  maker ??= load() ?? 'none';
  return maker === 'none' ? undefined : maker;
}

function load(): (() => Blake3) | undefined {
  try {
    const { Blake3Hasher } = createRequire(import.meta.filename)('@napi-rs/blake-hash') as typeof blakeHash;
    return () => new Blake3Hasher();
  } catch {
    return undefined;
  }
}
