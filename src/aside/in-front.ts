import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ModelCacheError } from '../errors.ts';
import { BEHIND_COMMAND } from '../invocation.ts';
import type { Report } from '../report.ts';
import type { Context } from '../stages/context.ts';
import type { DiskWork } from '../stages/disk-work.ts';
import type { Ready } from '../stages/make-ready.ts';
import { keepReportHere, startWithout } from '../stages/start-without.ts';
import type { FromBehind, StartOrder, ToBehind } from './messages.ts';

const PROGRAM = join(import.meta.dirname, 'main.cjs');
const LOOK_EVERY_MS = 100;
/** What the process behind has, beyond its own limits, to end by itself. */
const GRACE_MS = 1500;
const KEEP_REPORT_WITHIN_MS = 2000;
const END_WITHIN_MS = 300;

/**
 * The disk work of a start, done by another process: a file system that does not answer any more keeps that one for
 * ever, unreachable even for SIGKILL, and this one would be no better off in its place. It is left behind then.
 */
export class DiskWorkAside implements DiskWork {
  readonly #context: Context;
  readonly #answering: readonly string[];
  readonly #behind: ChildProcess;
  #lastSign = performance.now();
  /** The dir that it works in. */
  #dir: string | undefined;
  /** Why there will be no more of it: it has ended, or said so. */
  #failure: ModelCacheError | undefined;
  #hasEnded = false;
  /** There was nothing more to wait for. */
  #isLeft = false;

  /** `answering` are the network volumes that it may touch. */
  constructor(context: Context, answering: readonly string[]) {
    const { env, unreachable } = context;
    const home = unreachable.has(env['HOME'] ?? '/') ? '/nonexistent' : env['HOME'];
    this.#context = context;
    this.#answering = answering;
    this.#behind = spawn(process.execPath, [PROGRAM, BEHIND_COMMAND], {
      env: { ...env, HOME: home },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#behind.once('exit', (code, signal) => this.#end(`ended by itself (${signal ?? code})`));
    this.#behind.once('error', (error) => this.#end(`could not be started: ${error.message}`));
  }

  async makeReady(server: readonly string[]): Promise<Ready> {
    const { stop, reporter } = this.#context;
    const forward = (): void => void this.#behind.kill('SIGTERM');
    stop.addEventListener('abort', forward, { once: true });
    const answer = this.#answerOf('ready');
    this.#send({ kind: 'make-ready', order: this.#order(server) });
    if (stop.aborted) forward();
    const done = await this.#untilStuck(answer);
    stop.removeEventListener('abort', forward);
    if (done instanceof ModelCacheError) {
      this.#isLeft = true;
      await this.#leave();
      return startWithout(this.#context, done, server, this.#dir);
    }
    reporter.take(done.report);
    return done.ready;
  }

  async keepReport(report: Report): Promise<void> {
    if (this.#isLeft || this.#failure !== undefined) return keepReportHere(this.#context, report);
    const kept = this.#answerOf('report-kept');
    this.#send({ kind: 'keep-report', report });
    const isKept = await Promise.race([kept.then(() => true), sleep(KEEP_REPORT_WITHIN_MS, false)]);
    if (!isKept) this.#context.log.warn('report', 'the report was not written: the disk does not answer');
    await this.#leave();
  }

  /** Resolves when such a message comes; what is said meanwhile is said. */
  #answerOf<K extends FromBehind['kind']>(kind: K): Promise<Extract<FromBehind, { kind: K }>> {
    return new Promise((resolve) => {
      const hear = (message: unknown): void => {
        const heard = message as FromBehind;
        this.#lastSign = performance.now();
        if (heard.kind === 'alive') this.#dir = heard.dir ?? this.#dir;
        if (heard.kind === 'said') this.#context.log[heard.level](heard.event, heard.message, heard.code);
        if (heard.kind === 'failed') this.#failure ??= new ModelCacheError('internal', heard.message);
        if (heard.kind !== kind) return;
        this.#behind.off('message', hear);
        resolve(heard as Extract<FromBehind, { kind: K }>);
      };
      this.#behind.on('message', hear);
    });
  }

  /** The answer, or why there will be none. */
  async #untilStuck<T>(answer: Promise<T>): Promise<T | ModelCacheError> {
    const { settings, startedAt, stop } = this.#context;
    this.#lastSign = performance.now();
    let stoppedAt: number | undefined;
    for (;;) {
      const heard = await Promise.race([answer, sleep(LOOK_EVERY_MS)]);
      if (heard !== undefined) return heard;
      if (this.#failure !== undefined) return this.#failure;
      const now = performance.now();
      if (stop.aborted) stoppedAt ??= now;
      if (stoppedAt !== undefined && now > stoppedAt + GRACE_MS) return stop.reason as ModelCacheError;
      if (settings.stall > 0 && now > this.#lastSign + settings.stall)
        return this.#stuck(settings.stall, '--stall');
      if (settings.timeout !== undefined && now > startedAt + settings.timeout + GRACE_MS)
        return this.#stuck(settings.timeout, '--timeout');
    }
  }

  #stuck(after: number, option: string): ModelCacheError {
    return new ModelCacheError(
      'disk-stalled',
      `the disk of ${this.#dir ?? 'the cache, or of the store,'} did not answer for ${after / 1000} s (${option})`,
      { hint: `check ${this.#answering.join(', ')}; another dir is --dir` },
    );
  }

  #order(server: readonly string[]): StartOrder {
    const { settings, startedAt } = this.#context;
    const { problems: _, storeProblem, ...plain } = settings;
    return {
      settings: plain,
      storeProblem: storeProblem && {
        code: storeProblem.code,
        message: storeProblem.message,
        hint: storeProblem.hint,
      },
      server,
      answering: this.#answering,
      startedAgo: performance.now() - startedAt,
    };
  }

  #send(message: ToBehind): void {
    if (this.#behind.connected) this.#behind.send(message, () => undefined);
  }

  #end(how: string): void {
    this.#hasEnded = true;
    this.#failure ??= new ModelCacheError('internal', `the process that restores ${how}`);
  }

  /** Waited for when it ends at once, so that the server gets no child that has ended. */
  async #leave(): Promise<void> {
    if (this.#hasEnded) return;
    const ended = new Promise((resolve) => this.#behind.once('exit', resolve));
    if (this.#behind.connected) this.#behind.disconnect();
    await Promise.race([ended, sleep(END_WITHIN_MS)]);
    if (this.#hasEnded) return;
    this.#behind.kill('SIGKILL');
    await Promise.race([ended, sleep(END_WITHIN_MS)]);
    this.#behind.unref();
  }
}
