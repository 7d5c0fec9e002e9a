import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_MOUNTS } from './mounts.ts';
import { installOnce, runInstallStep } from './tool-cache.ts';

/** The storage of rootless containers. */
const LOCAL_TYPE = 'fuse-overlayfs';
const SOURCES = join(import.meta.dirname, 'fault-fs');

export type DiskFault =
  | 'none'
  | 'hang'
  | 'EIO'
  | 'EDQUOT'
  | 'ENOSPC'
  | 'EROFS'
  | 'EIO-read'
  | 'hang-read'
  | 'hang-write'
  | 'no-links'
  | 'folding';

/** A real file system (FUSE) that fails as it is told. */
export interface FaultFs {
  /** Where it is mounted. */
  readonly path: string;
  /** The folder it shows. */
  readonly behind: string;
  set(fault: DiskFault): void;
}

/** Undefined: it can be mounted here. */
export function whyNoFuse(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root mounts file systems';
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  return NO_MOUNTS === false ? undefined : NO_MOUNTS;
}

/**
 * Mounts one for a test; it is gone afterwards, and whoever waits for it gets an answer. A local one is of a type that
 * the program takes for this machine's own.
 */
export async function mountFaultFs(
  context: { after(cleanup: () => unknown): void },
  { isLocal = false }: { readonly isLocal?: boolean } = {},
): Promise<FaultFs> {
  const program = await faultFsProgram();
  const scratch = mkdtempSync(join(tmpdir(), 'fault-fs-'));
  const [path, behind, faultFile] = ['mount', 'behind', 'fault'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [path, behind]) mkdirSync(folder);
  const set = (fault: DiskFault): void => writeFileSync(faultFile, fault);
  set('none');
  const server = spawn(program, [behind, path, faultFile, ...(isLocal ? [LOCAL_TYPE] : [])], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  context.after(async () => {
    set('none');
    const ended = new Promise((done) => server.once('exit', done));
    server.stdin.end();
    await ended;
    rmSync(scratch, { recursive: true, force: true });
  });
  await mounted(server);
  return { path, behind, set };
}

export async function faultFsProgram(): Promise<string> {
  const sources = ['go.mod', 'go.sum', 'main.go'].map((name) => readFileSync(join(SOURCES, name)));
  const version = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 16);
  const dir = await installOnce(`fault-fs-${version}`, async (target) => {
    await runInstallStep('go', ['build', '-C', SOURCES, '-o', join(target, 'fault-fs'), '.']);
  });
  return join(dir, 'fault-fs');
}

function mounted(server: ChildProcess): Promise<void> {
  return new Promise((done, failed) => {
    server.stdout?.once('data', () => done());
    server.once('exit', (code) => failed(new Error(`fault-fs ended with ${code} before it was mounted`)));
  });
}
