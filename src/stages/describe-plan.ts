import type { PlanItem, RestorePlan } from '../model/plan.ts';
import { shownPath } from '../model/paths.ts';
import { displayName } from '../model/tree.ts';
import { bytes, files } from './words.ts';

/** A plan for people: a line for each item that is not here already, then the sums. */
export function describePlan(plan: RestorePlan): string {
  const lines = plan.items.filter(({ reason }) => reason !== 'present').map(describeItem);
  const short = plan.bytesShort === 0 ? [] : [`no space: ${bytes(plan.bytesShort)} short`];
  const withheld = plan.withheld.map((tree) => `${'withheld'.padEnd(26)} ${displayName(tree)}`);
  const unmatched = plan.unmatched.map((spec) => `nothing answers to --model ${spec}`);
  const sums = `${plan.dir}: ${files(plan.fetch.files)}, ${bytes(plan.fetch.bytes)} to fetch; ${files(plan.present.files)}, ${bytes(plan.present.bytes)} here already`;
  return `${[...lines, ...withheld, ...unmatched, ...short, sums].join('\n')}\n`;
}

function describeItem(item: PlanItem): string {
  const what = item.kind === 'file' ? bytes(item.file.size) : item.kind;
  return `${item.reason.padEnd(14)} ${what.padStart(10)}  ${displayName(item.tree)}/${shownPath(item.path)}`;
}
