import { loadBlake3 } from '../blake3.ts';
import { ownDiskSigns, serve } from '../threads/serve.ts';
import { systemFailure, type SystemFailure } from '../threads/system-failure.ts';
import type { Found } from '../model/proof.ts';
import { followFile, type DigestErrand } from './follow.ts';

const disk = ownDiskSigns();
const blake3 = loadBlake3();

serve<DigestErrand, never, Found | undefined, SystemFailure>({
  go: async (errand) => followFile(errand, disk, await blake3),
  // It ends with the arrival that it follows.
  stop: () => undefined,
  failureOf: systemFailure,
});
