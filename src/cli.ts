import { Command, CommanderError, Option } from 'commander';
import { EXIT_USAGE } from './exit-codes.ts';
import { BEHIND_COMMAND, type Invocation } from './invocation.ts';
import {
  OTHER_VARIABLES,
  optionKeys,
  optionSpec,
  variableOf,
  type CommandName,
  type OptionKey,
} from './settings/options.ts';
import { writeAll } from './output.ts';
import type { Flags } from './settings/raw.ts';
import { VERSION } from './version.ts';

const SUMMARIES: Readonly<Record<CommandName, string>> = {
  init: 'restore the cache, export the variables, become the server',
  upload: 'put into the bucket what it lacks',
  status: 'what is here, what is in the bucket, what differs',
  verify: 'hash the cache (or the bucket) again, without the Hub',
  lock: 'write down what a selection is now, for init --locked',
  env: 'print the variables, for eval, shells and --env-file',
};

const EXAMPLES: Readonly<Record<CommandName, readonly string[]>> = {
  init: [
    'model-cache init -- python -m f5_tts.socket_server',
    'model-cache init --preset f5-tts --timeout 90s -- python server.py',
    'eval "$(model-cache init)"',
  ],
  upload: ['model-cache upload', 'model-cache upload --dry-run'],
  status: ['model-cache status --check'],
  verify: ['model-cache verify', 'model-cache verify --remote'],
  lock: [
    'model-cache lock --preset f5-tts > models.lock',
    'model-cache init --locked models.lock -- python server.py',
  ],
  env: ['eval "$(model-cache env)"', 'model-cache env --format docker > models.env'],
};

/** Reads the command line. Everything after `--` is the server's and is not looked at. */
export function parseCommandLine(args: readonly string[]): Invocation {
  const separator = args.indexOf('--');
  const own = separator === -1 ? args : args.slice(0, separator);
  const server = separator === -1 ? [] : args.slice(separator + 1);
  let invocation: Invocation = { kind: 'done', exitCode: 0 };
  const program = programFor((command, flags, beside) => {
    invocation = { kind: 'run', command, flags, server: beside === undefined ? server : [beside] };
  });
  quiet(program.command(BEHIND_COMMAND, { hidden: true })).action(() => {
    invocation = { kind: 'behind' };
  });
  try {
    program.parse([...own], { from: 'user' });
    return server.length > 0 ? onlyInit(invocation) : invocation;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { kind: 'done', exitCode: error.exitCode === 0 ? 0 : EXIT_USAGE };
  }
}

type Run = (command: CommandName | 'write-back', flags: Flags, beside?: string) => void;

function programFor(run: Run): Command {
  const program = quiet(new Command('model-cache'))
    .description("Restores a model server's cache from an S3 bucket, byte for byte, and becomes the server.")
    .version(VERSION)
    .showHelpAfterError('(model-cache COMMAND --help shows what there is)');
  for (const name of Object.keys(SUMMARIES) as CommandName[]) {
    const command = quiet(program.command(name))
      .description(SUMMARIES[name])
      .allowExcessArguments(false)
      .showHelpAfterError(afterError(name))
      .addHelpText('after', helpAfter(name))
      .action((values: Record<string, unknown>) => run(name, flagsOf(name, values)));
    if (name === 'init') command.usage('[options] [-- server args...]');
    for (const key of keysOf(name)) command.addOption(optionFor(key));
  }
  addWriteBack(program, run);
  return program;
}

/** Not for users: an upload beside the process that became the server, with those of init's flags that an upload has. */
function addWriteBack(program: Command, run: Run): void {
  const command = quiet(program.command('write-back <server>', { hidden: true })).action(
    (beside: string, values: Record<string, unknown>) => run('write-back', flagsOf('upload', values), beside),
  );
  for (const key of keysOf('upload')) command.addOption(optionFor(key));
}

/** Commander throws instead of exiting, and writes at once: touching process.stdout would make the pipe non-blocking. */
function quiet(command: Command): Command {
  return command.exitOverride().configureOutput({
    writeOut: (text) => writeAll(1, text),
    writeErr: (text) => writeAll(2, text),
  });
}

function optionFor(key: OptionKey): Option {
  const { flags, help, list } = optionSpec(key);
  const option = new Option(flags, `${help} [${variableOf(key)}]`);
  return list === undefined
    ? option
    : option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
}

function flagsOf(command: CommandName, values: Record<string, unknown>): Flags {
  const entries = keysOf(command).flatMap((key) => {
    const option = new Option(optionSpec(key).flags);
    const value = values[option.attributeName()] as string | boolean | readonly string[] | undefined;
    // Commander turns `--no-sign-request` into a `signRequest` that is true until the flag is given.
    if (option.negate) return value === false ? [[key, true] as const] : [];
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(entries);
}

function keysOf(command: CommandName): readonly OptionKey[] {
  return optionKeys().filter((key) => optionSpec(key).commands.includes(command));
}

function afterError(name: CommandName): string {
  const server =
    name === 'init' ? 'a server to start stands behind --, as in model-cache init -- python server.py; ' : '';
  return `(${server}model-cache ${name} --help shows the options)`;
}

function onlyInit(invocation: Invocation): Invocation {
  if (invocation.kind !== 'run' || invocation.command === 'init') return invocation;
  writeAll(
    2,
    `error: model-cache ${invocation.command} starts no server: wanted nothing after --, found ${invocation.server.join(' ')}\n`,
  );
  return { kind: 'done', exitCode: EXIT_USAGE };
}

function helpAfter(name: CommandName): string {
  const examples = EXAMPLES[name].map((example) => `  ${example}\n`).join('');
  const variables = name === 'env' ? '' : `\nWithout a flag: ${OTHER_VARIABLES.join(', ')}\n`;
  return `\nEach option has the variable in brackets; a flag wins.\n${variables}\nExamples:\n${examples}`;
}
