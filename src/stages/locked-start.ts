import { hasErrno, ModelCacheError, toModelCacheError } from '../errors.ts';
import { readRegularFile } from '../files.ts';
import { MAX_LOCK_BYTES, parseLock, type Lock, type ReadLock } from '../model/lock-file.ts';
import { isNested } from '../model/tree.ts';
import type { AlsoFolder } from '../settings/also.ts';
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
  tellLeftOut(context, file, lock);
  return {
    ...context,
    lock,
    settings: { ...settings, selection: lock.selection, also: alsoLocked(context, lock) },
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

function tellLeftOut(context: Context, file: string, { leftOut }: ReadLock): void {
  for (const { folder, other } of leftOut) {
    const message = `${folder} of the lock file ${file} is left out: it overlaps ${other}`;
    const error = new ModelCacheError('setting-invalid', message, {
      wanted: `a folder beside ${other}`,
      found: folder,
      hint: 'make the lock file anew with `model-cache lock`',
    });
    tellProblem(context, 'settings', error);
  }
}

function alsoLocked(context: Context, lock: Lock): readonly AlsoFolder[] {
  const { true: nested = [], false: apart = [] } = Object.groupBy(context.settings.also, ({ tree }) =>
    String(lock.also.some((locked) => isNested(locked, tree))),
  );
  for (const { tree } of nested) {
    tellProblem(
      context,
      'settings',
      new ModelCacheError('setting-invalid', '--also is not heeded where the lock file has it otherwise', {
        wanted: lock.also.join(', '),
        found: tree,
        hint: 'make the lock file anew with `model-cache lock`',
      }),
    );
  }
  const named = new Set(apart.map(({ tree }) => tree));
  const more = lock.also.filter((tree) => !named.has(tree)).map((tree) => ({ tree, variable: undefined }));
  return [...apart, ...more];
}

/** A link is followed: that is how Kubernetes mounts a ConfigMap. A pipe is not waited for. */
function readLock(file: string): ReadLock | ModelCacheError {
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
