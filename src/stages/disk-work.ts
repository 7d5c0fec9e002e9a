import type { Report } from '../report.ts';
import type { Context } from './context.ts';
import { keepReport } from './finish.ts';
import { keepReportHere } from './start-without.ts';
import { makeReady, type Ready } from './make-ready.ts';

/** Everything of a start that touches a disk. Nothing of it throws. */
export interface DiskWork extends ReportKeeper {
  makeReady(server: readonly string[]): Promise<Ready>;
}

export interface ReportKeeper {
  keepReport(report: Report): Promise<void>;
}

/** Done by this process itself. */
export function doneHere(context: Context): DiskWork {
  return {
    makeReady: (server) => makeReady(context, server),
    keepReport: (report) => Promise.resolve(keepReport(context, report)),
  };
}

/** When it has failed: only a report is left to be kept, where that cannot hang. */
export function doneNowhere(context: Context): ReportKeeper {
  return { keepReport: (report) => Promise.resolve(keepReportHere(context, report)) };
}
