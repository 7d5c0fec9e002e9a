import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { hasErrno, ModelCacheError } from '../errors.ts';

/** A program that the kernel will take, with the arguments it starts with. */
export interface Program {
  readonly path: string;
  readonly argv: readonly string[];
}

/** Where execvp looks when PATH is unset. */
const DEFAULT_PATH = '/bin:/usr/bin';
const MAX_INTERPRETERS = 4;

/** A file that may be executed, and how it begins. */
interface Executable {
  readonly path: string;
  /** What it is started as: the name that was typed, unless another search of the server's PATH would end elsewhere. */
  readonly name: string;
  readonly head: Buffer;
}

/**
 * Finds a command as execvp does, and checks beforehand what execve would refuse: by then there is no way back, since
 * a failing `process.execve` ends the process. `path` is the server's PATH; of its folders, those that `mayLookInto` says
 * no of are gone past. Throws `server-not-found` or `server-not-executable`.
 */
export function findProgram(
  [name = '', ...args]: readonly string[],
  path: string | undefined,
  mayLookInto: (folder: string) => boolean = () => true,
): Program {
  const found = name.includes('/')
    ? startable(name, name)
    : searchPath(name, path ?? DEFAULT_PATH, mayLookInto);
  if (found === undefined) {
    throw new ModelCacheError('server-not-found', `there is no program ${name}`, {
      hint: name.includes('/') ? 'check the path' : `it is in no folder of PATH (${path ?? DEFAULT_PATH})`,
    });
  }
  const isKnown = isElf(found.head) || found.head.subarray(0, 2).toString('latin1') === '#!';
  return isKnown
    ? { path: found.path, argv: [found.name, ...args] }
    : { path: '/bin/sh', argv: ['sh', found.path, ...args] };
}

/**
 * What is refused in one folder is looked for in the next, as execvp does when execve says ENOENT (also of an
 * interpreter) or EACCES. For a program of another processor it would run a shell on it (ENOEXEC), to no avail: that is
 * gone past too. Where no folder has a better one, the first refusal is thrown.
 */
function searchPath(
  name: string,
  path: string,
  mayLookInto: (folder: string) => boolean,
): Executable | undefined {
  if (name === '') return undefined;
  const refusals: unknown[] = [];
  let isGonePast = false;
  for (const folder of path.split(delimiter)) {
    try {
      if (!mayLookInto(folder)) {
        isGonePast = true;
        continue;
      }
      const file = join(folder === '' ? '.' : folder, name);
      const found = startable(file, isGonePast ? file : name);
      if (found !== undefined) return found;
    } catch (error) {
      isGonePast = true;
      refusals.push(error);
    }
  }
  if (refusals.length > 0) throw refusals[0];
  return undefined;
}

/** Undefined if there is no such file; throws if the kernel would refuse it. */
function startable(path: string, name: string): Executable | undefined {
  if (usableFile(path) === undefined) return undefined;
  const head = readHead(path);
  refuseOtherMachine(path, head);
  refuseMissingInterpreter(path, head, 0);
  return { path, name, head };
}

function usableFile(path: string): string | undefined {
  try {
    if (path === '' || !existsSync(path)) return undefined;
    const stats = statSync(path);
    if (!stats.isFile()) throw notExecutable(path, stats.isDirectory() ? 'it is a folder' : 'it is no file');
    accessSync(path, constants.X_OK);
    return path;
  } catch (error) {
    if (hasErrno(error, 'EACCES', 'EPERM')) throw notExecutable(path, 'this user may not execute it');
    throw error;
  }
}

function readHead(path: string): Buffer {
  const head = Buffer.alloc(4096);
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    // The kernel may execute what this user may not read.
    if (hasErrno(error, 'EACCES', 'EPERM')) return Buffer.from('\x7fELF', 'latin1');
    throw error;
  }
  try {
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}

function isElf(head: Buffer): boolean {
  return head.subarray(0, 4).toString('latin1') === '\x7fELF';
}

/** e_machine, two bytes at 18 in the ELF header; our own program is of the machine this is. */
function refuseOtherMachine(path: string, head: Buffer): void {
  const [wanted, found] = [machineOf(ownHead()), machineOf(head)];
  if (wanted === undefined || found === undefined || wanted === found) return;
  throw notExecutable(path, `it is for another processor (ELF machine ${found}, here ${wanted})`);
}

/** Without /proc, Node may not know where it is itself. */
function ownHead(): Buffer {
  try {
    return readHead(process.execPath);
  } catch {
    return Buffer.alloc(0);
  }
}

function machineOf(head: Buffer): number | undefined {
  return isElf(head) && head.length >= 20 ? head.readUInt16LE(18) : undefined;
}

/** A script's interpreter, or the loader of a dynamic program: without it execve says ENOENT, of a file that is there. */
function refuseMissingInterpreter(path: string, head: Buffer, depth: number): void {
  const interpreter = isElf(head) ? loaderOf(head) : scriptInterpreterOf(head);
  if (interpreter === undefined) return;
  if (interpreter.endsWith('\r'))
    throw notExecutable(path, "its first line ends as lines do on Windows: `sed -i 's/\\r$//'` it");
  let usable: string | undefined;
  try {
    usable = usableFile(interpreter);
  } catch {
    usable = undefined;
  }
  if (usable === undefined)
    throw notExecutable(path, `its interpreter ${interpreter} is not there or not executable`);
  if (depth < MAX_INTERPRETERS) refuseMissingInterpreter(usable, readHead(usable), depth + 1);
}

function scriptInterpreterOf(head: Buffer): string | undefined {
  return /^#![ \t]*([^ \t\n]+)/.exec(head.toString('latin1'))?.[1];
}

/** The PT_INTERP segment of a 64-bit little-endian ELF file, where it lies in the first page. */
function loaderOf(head: Buffer): string | undefined {
  const is64LittleEndian = head[4] === 2 && head[5] === 1;
  if (!is64LittleEndian || head.length < 64) return undefined;
  const tableOffset = Number(head.readBigUInt64LE(32));
  const entrySize = head.readUInt16LE(54);
  const entries = head.readUInt16LE(56);
  for (let index = 0; index < entries; index += 1) {
    const at = tableOffset + index * entrySize;
    if (at + 40 > head.length) return undefined;
    const isInterpreter = head.readUInt32LE(at) === 3;
    if (!isInterpreter) continue;
    const offset = Number(head.readBigUInt64LE(at + 8));
    const size = Number(head.readBigUInt64LE(at + 32));
    return offset + size > head.length
      ? undefined
      : head.toString('latin1', offset, offset + size).replace(/\0+$/, '');
  }
  return undefined;
}

function notExecutable(path: string, why: string): ModelCacheError {
  return new ModelCacheError('server-not-executable', `${path} cannot be started: ${why}`);
}
