import type { Report } from '../report.ts';
import type { Context } from './context.ts';
import { keepReport } from './finish.ts';
import { makeReady, type Ready } from './make-ready.ts';

/** Everything of a start that touches a disk. Nothing of it throws. */
export interface DiskWork {
  makeReady(server: readonly string[]): Promise<Ready>;
  keepReport(report: Report): Promise<void>;
}

/** Done by this process itself. */
export function doneHere(context: Context): DiskWork {
  return {
    makeReady: (server) => makeReady(context, server),
    keepReport: (report) => Promise.resolve(keepReport(context, report)),
  };
}
