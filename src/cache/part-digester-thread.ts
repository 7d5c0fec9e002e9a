import { loadBlake3 } from '../blake3.ts';
import { ownDiskSigns, serve } from '../threads/serve.ts';
import { systemFailure, type SystemFailure } from '../threads/system-failure.ts';
import { digestParts, type PartsErrand, type PartsFound } from './part-digests.ts';

const disk = ownDiskSigns();
const stopped = new Set<number>();

serve<PartsErrand, string, PartsFound | undefined, SystemFailure>({
  go: async (errand, id, { say }) => {
    try {
      return await digestParts(errand, disk, loadBlake3(), () => stopped.has(id), say);
    } finally {
      stopped.delete(id);
    }
  },
  stop: (id) => void stopped.add(id),
  failureOf: systemFailure,
});
