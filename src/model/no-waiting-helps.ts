import type { ErrorCode } from '../errors.ts';

/** What has shown that this bucket takes nothing with this key and these settings, however often it is tried. */
export const NO_WAITING_HELPS: ReadonlySet<string> = new Set<ErrorCode>([
  'setting-invalid',
  'store-not-configured',
  'store-url-invalid',
  'store-credentials-missing',
  'store-credentials-refused',
  'store-denied',
  'store-bucket-missing',
  'store-region-wrong',
  'store-unsupported',
  'format-unknown',
]);
