import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installOnce, runInstallStep } from './tool-cache.ts';

const OLDEST_PYTHON = '3.11';

/** The lines of huggingface_hub that servers run: 2 stands alone, 1 and 0.36 come with cached_path. */
export const HUB_LIBRARIES = ['hub-2', 'hub-1', 'hub-0.36'] as const;
export type HubLibrary = (typeof HUB_LIBRARIES)[number];

/** Every virtual environment of the tests. */
export const PYTHON_SETS = [...HUB_LIBRARIES, 'hadolint'] as const;
export type PythonSet = (typeof PYTHON_SETS)[number];

type PythonOptions = {
  /** The script's variables, beside PATH, TMPDIR and an empty HOME; no other variable of this process reaches it. */
  env?: Record<string, string>;
  /** Kills the script; its `code` is then null. */
  signal?: AbortSignal;
};
type PythonResult = { stdout: string; stderr: string; code: number | null };

/** A file as a server gets it: `path` from hf_hub_download, `cachedPath` from cached_path (null in hub-2). */
type LoadedFile = {
  repo: string;
  file: string;
  path: string;
  realpath: string;
  sha256: string;
  size: number;
  cachedPath: string | null;
};

/** What scan_cache_dir says of `HF_HUB_CACHE`; a sound cache has no warnings. */
type CacheScan = {
  warnings: string[];
  repos: {
    repo: string;
    sizeOnDisk: number;
    revisions: { commit: string; refs: string[]; files: string[] }[];
  }[];
};

const pythons = new Map<PythonSet, Promise<string>>();

/** The python of a virtual environment with that set, made in the tool cache when it is not there yet. */
export function pythonWith(library: PythonSet): Promise<string> {
  const known = pythons.get(library) ?? installedPython(library);
  pythons.set(library, known);
  return known;
}

/** Runs `script`, a file of test/support/python, to its end, whatever its exit code. */
export async function runPython(
  library: HubLibrary,
  script: string,
  args: readonly string[],
  { env = {}, signal }: PythonOptions = {},
): Promise<PythonResult> {
  const python = await pythonWith(library);
  const home = await mkdtemp(join(tmpdir(), 'python-home-'));
  try {
    const child = spawn(python, [besideThis(script), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal && { signal, killSignal: 'SIGKILL' }),
      env: { ...ownVariables(home), ...env },
    });
    const killAtExit = () => child.kill('SIGKILL');
    process.once('exit', killAtExit);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise<number | null>((done, failed) => {
      child.on('close', done);
      child.on('error', (error) => {
        if (error.name !== 'AbortError') failed(error);
      });
    });
    process.removeListener('exit', killAtExit);
    return { stdout, stderr, code };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Downloads `repo:file[@revision]`s into the cache that `env` names, from its HF_ENDPOINT; returns their paths. */
export async function download(
  library: HubLibrary,
  files: readonly string[],
  env: Record<string, string>,
): Promise<string[]> {
  return (await jsonOf(library, 'download.py', files, env)) as string[];
}

/** Downloads whole repositories, `repo[@revision]`; returns their snapshot folders. */
export async function downloadSnapshot(
  library: HubLibrary,
  repos: readonly string[],
  env: Record<string, string>,
): Promise<string[]> {
  return (await jsonOf(library, 'snapshot.py', repos, env)) as string[];
}

/** Asks for `repo:file[@revision]`s with HF_HUB_OFFLINE=1, as a server does; rejects when one is not in the cache. */
export async function loadOffline(
  library: HubLibrary,
  files: readonly string[],
  env: Record<string, string>,
): Promise<LoadedFile[]> {
  return (await jsonOf(library, 'load.py', files, { ...env, HF_HUB_OFFLINE: '1' })) as LoadedFile[];
}

/** The library's own opinion of the cache that `env` names. */
export async function scanCache(library: HubLibrary, env: Record<string, string>): Promise<CacheScan> {
  return (await jsonOf(library, 'scan.py', [], env)) as CacheScan;
}

/** Runs a script that prints JSON; rejects with its stderr when it fails. */
export async function jsonOf(
  library: HubLibrary,
  script: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<unknown> {
  const { stdout, stderr, code } = await runPython(library, script, args, { env });
  if (code !== 0) {
    throw new Error(
      `wanted ${script} ${args.join(' ')} (${library}) to succeed, found exit ${code}:\n${stderr}`,
    );
  }
  return JSON.parse(stdout);
}

function ownVariables(home: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    TMPDIR: tmpdir(),
    HOME: home,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  };
}

async function installedPython(library: PythonSet): Promise<string> {
  const requirements = besideThis(`requirements-${library}.txt`);
  const version = await systemPython();
  const contents = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const dir = await installOnce(`python-${library}-${contents}`, async (venv) => {
    process.stderr.write(`installing ${library} for the tests, once; this takes a few seconds\n`);
    await runInstallStep('python3', ['-m', 'venv', venv]);
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input'];
    await runInstallStep(join(venv, 'bin', 'python'), [...pip, '--requirement', requirements]);
  });
  return join(dir, 'bin', 'python');
}

/** The version of the python3 on the PATH, which must be able to make virtual environments. */
async function systemPython(): Promise<string> {
  const wanted = `wanted python3 (${OLDEST_PYTHON} or newer) with its venv module on the PATH, to test with huggingface_hub`;
  const toDo = 'run `apt-get install python3 python3-venv` (or `brew install python`)';
  const code = 'import sys, venv, ensurepip; print(sys.version)';
  const said = await runInstallStep('python3', ['-c', code]).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${wanted}, found ${error.code === 'ENOENT' ? 'none' : 'one without it'}; ${toDo}`, {
      cause: error,
    });
  });
  if (said.localeCompare(OLDEST_PYTHON, 'en', { numeric: true }) < 0) {
    throw new Error(`${wanted}, found ${said.trim()}; ${toDo} from a newer release`);
  }
  return said;
}

function besideThis(name: string): string {
  return fileURLToPath(new URL(`python/${name}`, import.meta.url));
}
