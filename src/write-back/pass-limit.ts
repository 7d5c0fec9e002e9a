import type { PassBounds } from '../model/write-back-step.ts';
import type { Sleeper } from './clock.ts';
import type { RunningPass } from './pass.ts';

/** What has been killed takes a moment to end; what hangs in the kernel is not waited for. */
const AFTER_KILL = 1000;

/** Lets a pass go on until it is to be parked, or at once when `isStopped` says so, and kills it in the end. */
export async function endPassBy(
  pass: RunningPass,
  { park, kill }: PassBounds,
  sleeper: Sleeper,
  isStopped: () => boolean,
): Promise<void> {
  if (await sleeper.until(pass.ended, park, isStopped)) return;
  pass.park();
  if (await sleeper.until(pass.ended, kill)) return;
  pass.kill();
  await sleeper.until(pass.ended, kill + AFTER_KILL);
}
