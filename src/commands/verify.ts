import { explain } from '../errors.ts';
import type { Count } from '../model/count.ts';
import { itemFailure } from '../report.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { verifyBucket } from '../stages/verify-bucket.ts';
import { verifyCache } from '../stages/verify-cache.ts';
import { bytes, files } from '../stages/words.ts';

/** Hashes everything again, without the Hub: a blob against its own name, other files against what they were before. */
export async function verify(context: Context): Promise<number> {
  const { settings, reporter, log } = context;
  const where = settings.remote ? 'bucket' : 'cache';
  const { count, failures } = settings.remote ? await verifyBucket(context) : await verifyCache(context);
  for (const { error } of failures) log.warn('verify.item', explain(error), error.code);
  log.info('verify.completed', verdict(where, count, failures.length));
  reporter.add({ verify: { where, checked: count, failures: failures.map(itemFailure) } });
  const [first] = failures;
  return first === undefined ? finish(context, 0, 'ok') : finish(context, 1, first.error.code);
}

function verdict(where: 'cache' | 'bucket', count: Count, wrong: number): string {
  if (count.files === 0 && wrong === 0) return `Nothing to verify: the ${where} holds no models`;
  const found = wrong === 0 ? 'all as they should be' : `${wrong} wrong`;
  return `Verified ${files(count.files)}, ${bytes(count.bytes)} of the ${where}: ${found}`;
}
