import {
  afterLiveDownload,
  afterLook,
  afterPass,
  afterPassStart,
  boundsOfLastPass,
  isUnpassed,
  newProgress,
  nextStep,
  pauseAfterLook,
  type PassBounds,
  type PassEnd,
  type WriteBackProgress,
} from '../model/write-back-step.ts';
import { Sleeper } from './clock.ts';
import { spokenDuration } from './lines.ts';
import type { EndReason, LoopTools } from './loop-tools.ts';
import { endPassBy } from './pass-limit.ts';
import type { RunningPass } from './pass.ts';

const CHECK_SERVER_EVERY = 500;

/** Looks at the cache beside its server, and has a pass made, one at a time, whenever there is something new. */
export class WriteBackLoop {
  readonly #tools: LoopTools;
  readonly #sleeper: Sleeper;
  #progress: WriteBackProgress;
  #pass: RunningPass | undefined;
  #lastEnd: PassEnd | undefined;
  #looking: Promise<void> | undefined;
  #nextLook = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  readonly #isCut = (): boolean => this.#isStopped;

  constructor(tools: LoopTools) {
    this.#tools = tools;
    this.#sleeper = new Sleeper(tools);
    this.#progress = newProgress(tools.passed, tools.now());
  }

  /** Somebody wants this process to end: a running pass is parked, and killed when the grace is over. */
  stop(): void {
    this.#isStopped = true;
    this.#sleeper.wake();
  }

  /** Comes back when there is nothing left to do, with no pass running. Never rejects. */
  async run(): Promise<EndReason> {
    const reason = await this.#untilTheEnd();
    this.#tools.say('debug', 'write-back.ended', `write-back ended: ${reason}`);
    return reason;
  }

  async #untilTheEnd(): Promise<EndReason> {
    for (;;) {
      if (this.#isStopped) return this.#stopPass();
      if (!this.#tools.isServerRunning()) return this.#afterServer();
      if (this.#lastEnd === 'never') return 'never';
      if (this.#looking === undefined && this.#tools.now() >= this.#nextLook) this.#looking = this.#look();
      const step = nextStep(this.#progress, this.#tools.now(), this.#tools.idle);
      if (step === 'pass') this.#startPass();
      else if (step === 'ask-for-downloads' && (await this.#isIdle())) return this.#endIdle();
      const untilLook = this.#looking === undefined ? this.#nextLook - this.#tools.now() : Infinity;
      await this.#sleeper.sleep(Math.max(0, Math.min(CHECK_SERVER_EVERY, untilLook)));
    }
  }

  /** A cache that cannot be read is looked at again later. */
  async #look(): Promise<void> {
    const { look, now, say } = this.#tools;
    const began = now();
    try {
      const fingerprint = await look();
      this.#progress = afterLook(this.#progress, fingerprint, { began, ended: now() });
    } catch (error) {
      say('debug', 'write-back.failed', `the cache could not be looked at: ${String(error)}`);
    }
    this.#nextLook = now() + pauseAfterLook(this.#progress, now() - began);
    this.#looking = undefined;
    this.#sleeper.wake();
  }

  /** A look that begins now, not one that is on its way already. */
  async #freshLook(): Promise<void> {
    await this.#looking;
    await this.#look();
  }

  /** A download that ends while we ask is either live or seen by the look that comes after. */
  async #isIdle(): Promise<boolean> {
    const { stirred } = this.#progress;
    const isLive = await this.#tools.hasLiveDownload().catch(() => false);
    if (isLive) this.#progress = afterLiveDownload(this.#progress, this.#tools.now());
    else await this.#freshLook();
    return this.#progress.stirred === stirred;
  }

  #endIdle(): EndReason {
    const { idle, say } = this.#tools;
    say('info', 'write-back.ended', `write-back ended: nothing new for ${spokenDuration(idle)}`);
    return 'idle';
  }

  #startPass(): void {
    this.#progress = afterPassStart(this.#progress);
    this.#tools.say('debug', 'write-back.pass', 'write-back: something new, a pass begins');
    this.#tools.onState('uploading');
    this.#pass = this.#tools.startPass();
    void this.#pass.ended.then((end) => this.#onPassEnd(end));
  }

  #onPassEnd(end: PassEnd): void {
    const { now, say, onState } = this.#tools;
    this.#progress = afterPass(this.#progress, end, now());
    this.#pass = undefined;
    this.#lastEnd = end;
    say('debug', 'write-back.pass', `write-back: the pass ended: ${end}`);
    onState('waiting');
    this.#sleeper.wake();
  }

  /** What runs may go on for most of the grace; what came last gets a pass of its own in what is left of it. */
  async #afterServer(): Promise<EndReason> {
    const bounds = boundsOfLastPass(this.#tools.now(), this.#tools.grace);
    const wasRunning = this.#pass !== undefined;
    await this.#endPass(bounds);
    const isInVain = this.#lastEnd === 'never' || (wasRunning && this.#lastEnd === 'later');
    if (isInVain || !(await this.#sleeper.until(this.#freshLook(), bounds.park, this.#isCut)))
      return 'server-ended';
    if (isUnpassed(this.#progress) || this.#progress.owed?.why === 'left-some') this.#startPass();
    await this.#endPass(bounds);
    return 'server-ended';
  }

  async #stopPass(): Promise<EndReason> {
    const now = this.#tools.now();
    await this.#endPass({ park: now, kill: now + this.#tools.grace });
    return 'stopped';
  }

  async #endPass(bounds: PassBounds): Promise<void> {
    if (this.#pass !== undefined) await endPassBy(this.#pass, bounds, this.#sleeper, this.#isCut);
  }
}
