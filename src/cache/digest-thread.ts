import { loadBlake3 } from '../blake3.ts';
import { ownDiskSigns, serve } from '../threads/serve.ts';
import { systemFailure, type SystemFailure } from '../threads/system-failure.ts';
import type { Found } from '../model/proof.ts';
import { followFile, type DigestErrand } from './follow.ts';

const disk = ownDiskSigns();

serve<DigestErrand, never, Found | undefined, SystemFailure>({
  go: (errand) => followFile(errand, disk, loadBlake3),
  // It ends with the arrival that it follows.
  stop: () => undefined,
  failureOf: systemFailure,
});
