import { explain } from '../errors.ts';
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
  const verdict = failures.length === 0 ? 'all as they should be' : `${failures.length} wrong`;
  log.info(
    'verify.completed',
    `Verified ${files(count.files)}, ${bytes(count.bytes)} of the ${where}: ${verdict}`,
  );
  reporter.add({ verify: { where, checked: count, failures: failures.map(itemFailure) } });
  const [first] = failures;
  return first === undefined ? finish(context, 0, 'ok') : finish(context, 1, first.error.code);
}
