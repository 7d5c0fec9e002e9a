import leven from 'leven';
import { explain, ModelCacheError } from '../errors.ts';
import { redactedAddress } from '../redact.ts';
import {
  optionKeys,
  optionSpec,
  OTHER_VARIABLES,
  variableOf,
  type CommandName,
  type OptionKey,
} from './options.ts';

const PREFIX = 'MODEL_CACHE_';

/** As the process got it. Empty means unset, everywhere. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the command line gave: commander's values by option key. */
export type Flags = Readonly<Partial<Record<OptionKey, string | boolean | readonly string[]>>>;

/** The command line that gives these flags to a command, as far as it has them. */
export function argsOf(flags: Flags, command: CommandName): readonly string[] {
  return Object.entries(flags).flatMap(([key, value]) => {
    const { flags: spec, commands } = optionSpec(key as OptionKey);
    if (!commands.includes(command)) return [];
    const [flag = ''] = spec.split(' ');
    if (typeof value === 'boolean') return value ? [flag] : [];
    return [value].flat().map((text) => `${flag}=${text}`);
  });
}

/**
 * Looks values up in their order: flag, variable, older variables, default. A bad flag throws `setting-invalid`; a
 * bad value in a variable is a problem to tell and the default to use where it would stop a server, or a command that
 * does not have the option.
 */
export class RawSettings {
  readonly problems: ModelCacheError[] = [];
  readonly #flags: Flags;
  readonly #env: Environment;
  readonly #lenient: boolean;
  readonly #command: CommandName | undefined;

  /** Without a `command`: one that has every option. */
  constructor(flags: Flags, env: Environment, lenient: boolean, command?: CommandName) {
    this.#flags = flags;
    this.#env = env;
    this.#lenient = lenient;
    this.#command = command;
  }

  /** Whether the command has this option. */
  has(key: OptionKey): boolean {
    return this.#command === undefined || optionSpec(key).commands.includes(this.#command);
  }

  variable(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === '' ? undefined : value;
  }

  text(key: OptionKey): string | undefined {
    return this.value(key, (text) => text);
  }

  flag(key: OptionKey): boolean {
    return this.value(key, parseBoolean) ?? false;
  }

  /** A value parsed by `parse`, which throws for text it does not take. */
  value<T>(key: OptionKey, parseUnquoted: (text: string) => T): T | undefined {
    const parse = withoutQuotes(key, parseUnquoted);
    const fromFlag = this.#flags[key];
    if (typeof fromFlag === 'boolean') return this.#parsed(optionSpec(key).flags, String(fromFlag), parse);
    if (typeof fromFlag === 'string' && fromFlag.trim() !== '')
      return this.#parsed(optionSpec(key).flags, fromFlag.trim(), parse);
    for (const name of [variableOf(key), ...(optionSpec(key).fallbacks ?? [])]) {
      const text = this.variable(name);
      if (text !== undefined) return this.fromVariable(key, name, text, parse);
    }
    return undefined;
  }

  /** A repeatable option: all of its flags, else the parts of its variable. Bad entries are left out of a lenient list. */
  list<T>(key: OptionKey, parseUnquoted: (text: string) => T): readonly T[] {
    const { flags, list } = optionSpec(key);
    const parse = withoutQuotes(key, parseUnquoted);
    const separated = (text: string): readonly string[] =>
      isQuoted(key, text) ? [text] : text.split(list?.separator ?? /,/);
    const given = this.#flags[key];
    const texts = Array.isArray(given) ? (given as readonly string[]) : [];
    const fromFlags = entries(list?.splits === true ? texts.flatMap(separated) : texts);
    if (fromFlags.length > 0) return fromFlags.map((text) => this.#parsed(flags, text, parse));
    const name = variableOf(key);
    return entries(separated(this.variable(name) ?? '')).flatMap((text) => {
      const value = this.fromVariable(key, name, text, parse, 'it is left out');
      return value === undefined ? [] : [value];
    });
  }

  /** The value of a variable that says what the option `key` does, or a part of it. */
  fromVariable<T>(
    key: OptionKey,
    name: string,
    text: string,
    parse: (text: string) => T,
    instead = 'the default is used',
  ): T | undefined {
    try {
      return this.#parsed(name, text, parse);
    } catch (error) {
      if (!this.#lenient && this.has(key)) throw error;
      this.problems.push(
        new ModelCacheError('setting-invalid', explain(error), { hint: instead, cause: error }),
      );
      return undefined;
    }
  }

  /** Names that begin like ours and are none: most likely a slip of the pen. */
  noteUnknownVariables(): void {
    const known = new Set<string>([...optionKeys().map(variableOf), ...OTHER_VARIABLES]);
    for (const name of Object.keys(this.#env)) {
      const isOurs = name.startsWith(PREFIX) && !/^MODEL_CACHE_(SERVICE|PORT)(_|$)/.test(name);
      if (!isOurs || known.has(name) || this.variable(name) === undefined) continue;
      const hint = likeliest(name, known) ?? 'model-cache COMMAND --help shows which there are';
      this.problems.push(
        new ModelCacheError('setting-invalid', `${name} is no variable of model-cache`, { hint }),
      );
    }
  }

  #parsed<T>(source: string, text: string, parse: (text: string) => T): T {
    try {
      return parse(text);
    } catch (error) {
      const { message, wanted, found, hint } = error as ModelCacheError;
      throw new ModelCacheError('setting-invalid', `${source}: ${message}`, {
        wanted,
        found,
        hint,
        cause: error,
      });
    }
  }
}

/** Undefined: there is none of which at least half would be right. */
function likeliest(name: string, known: ReadonlySet<string>): string | undefined {
  const [nearest = ''] = [...known].toSorted((a, b) => leven(name, a) - leven(name, b));
  const isSlip = leven(name, nearest) <= (name.length - PREFIX.length) / 2;
  return isSlip ? `did you mean ${nearest}?` : undefined;
}

export function parseBoolean(text: string): boolean {
  if (/^(true|1|yes|on)$/i.test(text)) return true;
  if (/^(false|0|no|off)$/i.test(text)) return false;
  throw wrong('not a yes or no', 'true or false', text);
}

export function oneOf<const T extends string>(...names: readonly T[]): (text: string) => T {
  return (text) => {
    const name = names.find((candidate) => candidate === text);
    if (name === undefined) throw wrong('no such choice', names.join(', '), text);
    return name;
  };
}

export function wrong(message: string, wanted: string, found: string): ModelCacheError {
  return new ModelCacheError('setting-invalid', message, { wanted, found });
}

/** As a whole: Docker's env files, say, leave the quotes that a shell takes away. */
function isQuoted(key: OptionKey, text: string): boolean {
  return optionSpec(key).keepsQuotes !== true && /^(["']).*\1$/s.test(text);
}

function withoutQuotes<T>(key: OptionKey, parse: (text: string) => T): (text: string) => T {
  return (text) => {
    if (!isQuoted(key, text)) return parse(text);
    const [quote] = text;
    const found = `${quote}${redactedAddress(text.slice(1, -1))}${quote}`;
    throw wrong('the quotes around it are a part of the value', 'none', found);
  };
}

function entries(texts: readonly string[]): readonly string[] {
  return texts.map((text) => text.trim()).filter((text) => text !== '');
}
