import { BEHIND_COMMAND, type Invocation } from './invocation.ts';
import { writeAll } from './output.ts';
import { optionKeys, optionSpec, type CommandName, type OptionKey } from './settings/options.ts';
import type { Flags } from './settings/raw.ts';
import { VERSION } from './version.ts';

type Value = string | boolean | readonly string[];

/**
 * Reads a command line in which there is nothing to explain, as cli.ts does: a start need not wait for commander then.
 * Undefined for every other: a mistake, a wish for help, an unusual way to write it.
 */
export function readPlainly(args: readonly string[]): Invocation | undefined {
  const [command = '', ...rest] = args;
  if (rest.length === 0 && ['--version', '-V'].includes(command)) {
    writeAll(1, `${VERSION}\n`);
    return { kind: 'done', exitCode: 0 };
  }
  if (rest.length === 0 && command === BEHIND_COMMAND) return { kind: 'behind' };
  const separator = rest.indexOf('--');
  const own = separator === -1 ? rest : rest.slice(0, separator);
  const server = separator === -1 ? [] : rest.slice(separator + 1);
  const options = optionsOf(command);
  if (options.size === 0 || (server.length > 0 && command !== 'init')) return undefined;
  const flags = readFlags(own, options);
  return flags && { kind: 'run', command: command as CommandName, flags, server };
}

/** Flag → key, in the order of the options; none for what is no command. */
function optionsOf(command: string): ReadonlyMap<string, OptionKey> {
  const keys = optionKeys().filter((key) =>
    (optionSpec(key).commands as readonly string[]).includes(command),
  );
  return new Map(keys.map((key) => [optionSpec(key).flags.split(' ')[0] ?? '', key]));
}

function readFlags(args: readonly string[], options: ReadonlyMap<string, OptionKey>): Flags | undefined {
  const values = new Map<OptionKey, Value>();
  for (let at = 0; at < args.length; at += 1) {
    const [, flag = '', joined] = /^(--[a-z-]+)(?:=(.*))?$/s.exec(args[at] ?? '') ?? [];
    const key = options.get(flag);
    if (key === undefined) return undefined;
    const { flags, list } = optionSpec(key);
    const isSwitch = !flags.includes(' ');
    if (isSwitch && joined === undefined) values.set(key, true);
    else {
      if (!isSwitch && joined === undefined) at += 1;
      const value = joined ?? args[at];
      // To commander, what looks like a flag may be one of the program's.
      const isPlain = value !== undefined && (joined !== undefined || !value.startsWith('-'));
      if (isSwitch || !isPlain) return undefined;
      values.set(
        key,
        list === undefined ? value : [...((values.get(key) as string[] | undefined) ?? []), value],
      );
    }
  }
  return Object.fromEntries(
    Array.from(options.values(), (key) => [key, values.get(key)] as const).filter(
      ([, value]) => value !== undefined,
    ),
  );
}
