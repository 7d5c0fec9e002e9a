// Prints the README's table of options; `npm run readme` puts it between its marks, and a test keeps it true.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { optionKeys, optionSpec, variableOf } from '../src/settings/options.ts';

const README = join(import.meta.dirname, '..', 'README.md');
const BLOCK = /(<!-- options:[^>]*-->\n)[^]*(<!-- \/options -->)/;

export function withOptionsTable(readme: string): string {
  return readme.replace(BLOCK, (_, start: string, end: string) => `${start}${optionsTable()}${end}`);
}

function optionsTable(): string {
  const rows = optionKeys().map((key) => {
    const { flags, help, commands, fallbacks = [] } = optionSpec(key);
    const variables = [variableOf(key), ...fallbacks].map((name) => `\`${name}\``).join(' > ');
    return `| \`${flags}\` | ${variables} | ${help.replaceAll('|', String.raw`\|`)} | ${commands.join(', ')} |\n`;
  });
  return `| option | variable | meaning | of |\n|---|---|---|---|\n${rows.join('')}`;
}

if (import.meta.main) writeFileSync(README, withOptionsTable(readFileSync(README, 'utf8')));
