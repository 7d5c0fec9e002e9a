import { toModelCacheError } from '../errors.ts';

/** What is wrong with one file, link or ref; everything else would fail for the next one too. */
export function isAboutOnePath(error: unknown): boolean {
  const { code } = toModelCacheError(error);
  return code.startsWith('object-') || code === 'path-unsafe' || code === 'file-changed';
}

/** Whether `act` went well. */
export function succeeds(act: () => void, onError: (error: unknown) => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    onError(error);
    return false;
  }
}
