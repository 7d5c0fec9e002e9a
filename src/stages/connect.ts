import { ModelCacheError } from '../errors.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { Progress } from '../transfer/progress.ts';
import { withPatience, type Patience } from '../transfer/watchdog.ts';
import type { Context } from './context.ts';

const SPEED_WINDOW_MS = 30_000;
/** The server waits for a restore that was stopped: only partial files are removed. */
const GRACE_MS = 500;

/** Opens the store of the settings. Throws `store-not-configured`, or why it cannot be used. */
export async function connect(context: Context): Promise<Store> {
  const { settings, reporter, log, stop } = context;
  if (settings.storeProblem !== undefined) throw settings.storeProblem;
  if (settings.store === undefined) throw noStore(settings.storeIsOff);
  const wanted = settings.store;
  const onOnlySdk = (why: string): void => log.debug('store.by-sdk', `requests go by the AWS SDK: ${why}`);
  // Whoever gives credentials may hang, and is given up after --stall by itself, by name.
  const patience = { ...patienceOf(context), stall: 0 };
  const store = await withPatience(patience, new Progress(), stop, () => openStore(wanted, { onOnlySdk }));
  reporter.add({ store: store.url });
  return store;
}

export function patienceOf({ settings, startedAt }: Context): Patience {
  const { stall, minSpeed, timeout } = settings;
  return { stall, minSpeed, timeout, speedWindow: SPEED_WINDOW_MS, startedAt, grace: GRACE_MS };
}

function noStore(isOff: boolean): ModelCacheError {
  return isOff
    ? new ModelCacheError('store-not-configured', 'the store is turned off (MODEL_CACHE_ENABLED)', {
        hint: 'unset MODEL_CACHE_ENABLED and ENABLE_S3_MODEL_CACHE to use it',
      })
    : new ModelCacheError('store-not-configured', 'no store is configured', {
        hint: 'set MODEL_CACHE_STORE (s3://BUCKET/PREFIX or file:///PATH) or S3_BUCKET',
      });
}
