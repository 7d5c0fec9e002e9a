import { closeSync } from 'node:fs';
import { hasLiveDownload } from '../cache/live-downloads.ts';
import { scanCache } from '../cache/scan.ts';
import { isRunning } from '../handover/server-process.ts';
import { fingerprintOf } from '../model/fingerprint.ts';
import { realClock } from './clock.ts';
import { openLogFile } from './log-file.ts';
import type { LoopTools } from './loop-tools.ts';
import { WriteBackLoop } from './loop.ts';
import type { WriteBackOrder } from './order.ts';
import { startPass, type RunningPass } from './pass.ts';

export interface CreateLoopTools extends Pick<LoopTools, 'say' | 'onState'> {
  /** Of the passes. */
  readonly env: NodeJS.ProcessEnv;
}

/** The loop over a real cache, a real server and real passes: in a process of its own, or beside a supervised server. */
export function createLoop(order: WriteBackOrder, { env, say, onState }: CreateLoopTools): WriteBackLoop {
  const { dir, server, also, reuse, store, idle, grace, passed } = order;
  let roots: readonly string[] = [];
  const look = async (): Promise<string> => {
    const inventory = await scanCache(dir, { also, reuse, store, state: { digestsOf: () => undefined } });
    roots = inventory.trees.map(({ root }) => root);
    return fingerprintOf(inventory);
  };
  return new WriteBackLoop({
    ...realClock,
    look,
    isServerRunning: () => isRunning(server),
    hasLiveDownload: () => hasLiveDownload(dir, roots),
    startPass: () => passOf(order, env),
    say,
    onState,
    idle,
    grace,
    passed,
  });
}

function passOf(order: WriteBackOrder, env: NodeJS.ProcessEnv): RunningPass {
  const { program, passArgs } = order;
  const log = openLogFile(order);
  try {
    return startPass({ program, args: passArgs, env, stderr: log ?? 'ignore' });
  } finally {
    if (log !== undefined) closeSync(log);
  }
}
