import { readRegularFile } from '../files.ts';
import { COMMIT_BYTES, isCommit } from '../model/digest.ts';

/** The commit that a ref's file holds; undefined for what is no such file. */
export function readRef(path: string): string | undefined {
  try {
    const content = readRegularFile(path, COMMIT_BYTES).toString('utf8');
    return isCommit(content) ? content : undefined;
  } catch {
    return undefined;
  }
}
