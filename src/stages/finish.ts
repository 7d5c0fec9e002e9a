import { layout } from '../cache/layout.ts';
import { ownerFor } from '../cache/owner.ts';
import { explain } from '../errors.ts';
import { replaceFile } from '../files.ts';
import { reportText, writeReport } from '../report.ts';
import type { Context } from './context.ts';

/**
 * Completes the report, writes it where it is asked for (and beside the cache, after an `init` that did something),
 * and prints it for `--json`. `exitCode` is undefined when a server follows.
 */
export function finish(
  { settings, log, reporter, print }: Context,
  exitCode: number | undefined,
  code: string,
): number {
  reporter.add({ code, ...(exitCode === undefined ? {} : { exitCode }) });
  const report = reporter.value;
  if (settings.report !== undefined) {
    try {
      writeReport(settings.report, report);
    } catch (error) {
      log.warn('report', `the report was not written to ${settings.report}: ${explain(error)}`);
    }
  }
  if (report.command === 'init' && !settings.dryRun && report.dir !== null) {
    try {
      replaceFile(layout.report(report.dir), reportText(report), {
        owner: ownerFor(report.dir, settings.owner),
      });
    } catch (error) {
      log.debug('report', `the report was not written to ${report.dir}: ${explain(error)}`);
    }
  }
  const isPlanPrinted = report.command === 'init' && settings.dryRun;
  if (settings.json && exitCode !== undefined && !isPlanPrinted) print(reportText(report));
  return exitCode ?? 0;
}
