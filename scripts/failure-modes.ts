// docs/failure-modes.md from the rows of test/faults/, which `npm run test:faults` holds the program to.
// `npm run failure-modes` writes it, and a test keeps it true.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GROUPS } from '../test/faults/rows/index.ts';
import type { Row } from '../test/faults/row.ts';

const DOCUMENT = join(import.meta.dirname, '..', 'docs', 'failure-modes.md');

const INTRODUCTION = `# Failure modes

<!-- Made from test/faults/rows/ by \`npm run failure-modes\`. -->

What may be broken, what is then in the log, and what to do. Each row is made for real, and held against the program by \`npm run test:faults\`: the server started, with its
variables; nothing wrong or partial was under a final name; no secret was said; nothing was left behind. In the lines of the log, … stands for what differs. The code is that of the report
and of [operations.md](operations.md#exit-codes). Where the third column says *nothing*, the server downloads everything itself.
`;

export function failureModes(): string {
  const parts = GROUPS.map(({ title, rows }) => `\n## ${title}\n\n${tableOf(rows)}`);
  return `${INTRODUCTION}${parts.join('')}`;
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ fault, sees, expected, todo }) =>
      `| ${cell(fault)} | ${[sees].flat().map(code).join('<br>') || 'nothing'} | ${codes(expected.code)}: ${expected.published} | ${cell(todo)} |\n`,
  );
  return `| what is broken | what the log says | code, and what is there then | what to do |\n|---|---|---|---|\n${lines.join('')}`;
}

function codes(code: Row['expected']['code']): string {
  return [code]
    .flat()
    .map((name) => `\`${name}\``)
    .join(' or ');
}

function code(line: string): string {
  const quoted = line.includes('`') ? `\`\` ${line} \`\`` : `\`${line}\``;
  return cell(quoted);
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}

if (import.meta.main) writeFileSync(DOCUMENT, failureModes());
