import { ModelCacheError } from '../errors.ts';
import { lockOf, type LockDecision } from '../model/lock.ts';
import { formatLock } from '../model/lock-file.ts';
import type { TreeView } from '../model/merge.ts';
import { connect, patienceOf } from '../stages/connect.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { readPatiently } from '../stages/read-patiently.ts';
import { bytes, files, storeReady } from '../stages/words.ts';
import { readHeads } from '../store/read-heads.ts';
import type { Store } from '../store/store.ts';

/** Writes down which manifests a selection is made of now, so that `init --locked` restores that and nothing else. */
export async function lock(context: Context): Promise<number> {
  const { settings, reporter, log, print } = context;
  const store = await connect(context);
  try {
    const views = await readAll(context, store);
    log.info('store.ready', storeReady(store));
    const also = settings.also.map(({ tree }) => tree);
    const decision = lockOf(views, settings.selection, also);
    refuseUnlockable(store, decision);
    const {
      lock: { manifests },
      restores,
      refused,
    } = decision;
    if (refused > 0)
      log.warn('restore.item', `${files(refused)} of it are never restored: their paths are not safe`);
    reporter.add({
      lock: { manifests: manifests.map(({ tree, name }) => ({ tree, sha256: name })), restores },
    });
    if (!settings.json) print(formatLock(decision.lock));
    const what = manifests.length === 1 ? '1 manifest' : `${manifests.length} manifests`;
    log.info(
      'lock.made',
      `Locked ${files(restores.files)}, ${bytes(restores.bytes)}: ${what} of ${store.url}`,
    );
    return finish(context, 0, 'ok');
  } finally {
    store.close();
  }
}

/** Every manifest must be readable: without one, a lock would name less than what a start restores today. */
async function readAll(context: Context, store: Store): Promise<readonly TreeView[]> {
  const { views, refused } = await readPatiently(store, patienceOf(context), context.stop, readHeads);
  const [first] = refused;
  if (first === undefined) return views;
  const others = refused.length === 1 ? '' : ` (and ${refused.length - 1} more)`;
  const { code, message, wanted, found, cause } = first;
  throw new ModelCacheError(code, `nothing was locked: ${message}${others}`, {
    wanted,
    found,
    hint: first.hint ?? 'delete that object, and `model-cache upload` where its models are',
    cause,
  });
}

function refuseUnlockable(store: Store, { lock: { manifests, selection }, unmatched }: LockDecision): void {
  const what = selection.models.length === 0 ? 'the selection' : `--model ${unmatched.join(', ')}`;
  if (unmatched.length === 0 && manifests.length > 0) return;
  throw new ModelCacheError(
    'model-not-found',
    `nothing was locked: nothing in ${store.url} answers to ${what}`,
    {
      hint: 'model-cache init --dry-run lists what is there',
    },
  );
}
