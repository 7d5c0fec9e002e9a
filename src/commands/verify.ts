import { explain } from '../errors.ts';
import { itemFailure } from '../report.ts';
import type { Context } from '../stages/context.ts';
import { finish } from '../stages/finish.ts';
import { verifyBucket } from '../stages/verify-bucket.ts';
import { verifyCache, type Checked } from '../stages/verify-cache.ts';
import { bytes, files } from '../stages/words.ts';

/** Hashes everything again, without the Hub: a blob against its own name, other files against what they were before. */
export async function verify(context: Context): Promise<number> {
  const { settings, reporter, log } = context;
  const where = settings.remote ? 'bucket' : 'cache';
  const checked = settings.remote ? await verifyBucket(context) : await verifyCache(context);
  const { count, failures, leftOut } = checked;
  for (const { error } of failures) log.warn('verify.item', explain(error), error.code);
  for (const { error } of leftOut) log.warn('verify.item', `not verified: ${explain(error)}`, error.code);
  log.info('verify.completed', verdict(where, checked));
  reporter.add({ verify: { where, checked: count, failures: failures.map(itemFailure) } });
  const [first] = failures;
  return first === undefined ? finish(context, 0, 'ok') : finish(context, 1, first.error.code);
}

function verdict(where: 'cache' | 'bucket', { count, failures, leftOut }: Checked): string {
  const without = leftOut.length === 0 ? '' : `; ${files(leftOut.length)} left out`;
  if (count.files + failures.length === 0) return `Nothing to verify: the ${where} holds no models${without}`;
  const found = failures.length === 0 ? 'all as they should be' : `${failures.length} wrong`;
  return `Verified ${files(count.files)}, ${bytes(count.bytes)} of the ${where}: ${found}${without}`;
}
