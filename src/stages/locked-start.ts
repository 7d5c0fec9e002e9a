import { hasErrno, ModelCacheError, toModelCacheError } from '../errors.ts';
import { readRegularFile } from '../files.ts';
import { MAX_LOCK_BYTES, parseLock, type Lock } from '../model/lock-file.ts';
import type { Context } from './context.ts';
import { tellProblem } from './tell-problem.ts';

/**
 * Of a start with --locked: what the lock file says takes the place of what was selected otherwise. Never throws; a lock
 * file that cannot be used is an error which `readStore` throws, since to go on without it would be to restore what
 * nobody has locked.
 */
export function asLocked(context: Context): Context {
  const { settings, unreachable } = context;
  const { locked: file, storeIsOff } = settings;
  if (file === undefined || storeIsOff) return context;
  tellNotHeeded(context, file);
  const lock = unreachable.has(file) ? unusable(`${file} is on a disk that does not answer`) : readLock(file);
  if (lock instanceof ModelCacheError) return { ...context, lock };
  const named = new Set(settings.also.map(({ tree }) => tree));
  const more = lock.also.filter((tree) => !named.has(tree)).map((tree) => ({ tree, variable: undefined }));
  return {
    ...context,
    lock,
    settings: { ...settings, selection: lock.selection, also: [...settings.also, ...more] },
  };
}

function tellNotHeeded(context: Context, file: string): void {
  const { models, exclude } = context.settings.selection;
  if (models.length + exclude.length === 0) return;
  const error = new ModelCacheError(
    'setting-invalid',
    '--model, --preset and --exclude are not heeded with --locked',
    { hint: `${file} says what is restored; \`model-cache lock\` makes another one` },
  );
  tellProblem(context, 'settings', error);
}

/** A link is followed: that is how Kubernetes mounts a ConfigMap. A pipe is not waited for. */
function readLock(file: string): Lock | ModelCacheError {
  try {
    return parseLock(`the lock file ${file}`, readRegularFile(file, MAX_LOCK_BYTES).toString('utf8'));
  } catch (error) {
    const reason = toModelCacheError(error);
    if (reason.code === 'lock-invalid') return reason;
    if (reason.code === 'path-unsafe') return unusable(reason.message);
    return unusable(
      `${file} ${hasErrno(error, 'ENOENT') ? 'is not there' : `cannot be read: ${reason.message}`}`,
    );
  }
}

function unusable(what: string): ModelCacheError {
  return new ModelCacheError('lock-invalid', `the lock file ${what}`, {
    hint: 'give --locked a file that `model-cache lock` has written',
  });
}
