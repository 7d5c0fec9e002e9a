import { layout } from '../cache/layout.ts';
import { writeOwnFile } from '../cache/own-files.ts';
import { explain, toModelCacheError } from '../errors.ts';
import { reportText, writeReport, type Report } from '../report.ts';
import type { Context } from './context.ts';

/** Completes the report of a command that no server follows, keeps it, and prints it for `--json`. */
export function finish(context: Context, exitCode: number, code: string): number {
  const { settings, print } = context;
  const report = completed(context, exitCode, code);
  keepReport(context, report);
  const isPlanPrinted = report.command === 'init' && settings.dryRun;
  if (settings.json && !isPlanPrinted) print(reportText(report));
  return exitCode;
}

/** `exitCode` is undefined when a server follows. */
export function completed({ reporter }: Context, exitCode: number | undefined, code: string): Report {
  reporter.add({ code, ...(exitCode === undefined ? {} : { exitCode }) });
  return reporter.value;
}

/** Writes a report where it is asked for, and beside the cache, after an `init` that did something. Never throws. */
export function keepReport({ settings, log }: Context, report: Report): void {
  if (settings.report !== undefined) {
    try {
      writeReport(settings.report, report);
    } catch (error) {
      const words = `the report was not written to ${settings.report}: ${explain(error)}`;
      log.warn('report', words, toModelCacheError(error).code);
    }
  }
  if (report.command === 'init' && !settings.dryRun && report.dir !== null) {
    try {
      writeOwnFile(report.dir, layout.report(report.dir), reportText(report), settings.owner);
    } catch (error) {
      log.debug('report', `the report was not written to ${report.dir}: ${explain(error)}`);
    }
  }
}
