import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PassEnd } from '../../src/model/write-back-step.ts';
import type { LoopTools } from '../../src/write-back/loop-tools.ts';

export interface FakePass {
  /** When, on the fake clock. */
  readonly startedAt: number;
  parkedAt: number | undefined;
  killedAt: number | undefined;
}

/** A world in which time passes only when the loop sleeps, and everything that happens has its moment. */
export class FakeTools implements LoopTools {
  idle = 0;
  grace = 8000;
  passed = '';
  fingerprint = '';
  isLive = false;
  /** How a pass goes: when it ends by itself, and how; parked, it ends later. */
  nextPass: { readonly takes: number; readonly end: PassEnd } = { takes: 0, end: 'done' };
  heedsPark = true;
  readonly passes: FakePass[] = [];
  readonly said: string[] = [];
  readonly states: string[] = [];
  looks = 0;
  asked = 0;
  #now = 0;
  #isRunning = true;
  readonly #events: { readonly at: number; readonly act: () => void }[] = [];

  at(time: number, act: () => void): this {
    this.#events.push({ at: time, act });
    return this;
  }

  serverEndsAt(time: number): this {
    return this.at(time, () => {
      this.#isRunning = false;
    });
  }

  now = (): number => this.#now;

  sleep = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
    await nextTurn();
    const until = this.#now + milliseconds;
    while (!signal.aborted) {
      const due = this.#events.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#events.splice(this.#events.indexOf(due), 1);
      this.#now = Math.max(this.#now, due.at);
      due.act();
      await nextTurn();
    }
    if (!signal.aborted) this.#now = until;
  };

  look = async (): Promise<string> => {
    this.looks += 1;
    return this.fingerprint;
  };

  isServerRunning = (): boolean => this.#isRunning;

  hasLiveDownload = async (): Promise<boolean> => {
    this.asked += 1;
    return this.isLive;
  };

  startPass: LoopTools['startPass'] = () => {
    const pass: FakePass = { startedAt: this.#now, parkedAt: undefined, killedAt: undefined };
    const { takes, end } = this.nextPass;
    this.passes.push(pass);
    let finish: (end: PassEnd) => void = () => undefined;
    const ended = new Promise<PassEnd>((resolve) => {
      finish = resolve;
    });
    this.at(this.#now + takes, () => finish(end));
    return {
      ended,
      park: () => {
        pass.parkedAt = this.#now;
        if (this.heedsPark) finish('later');
      },
      kill: () => {
        pass.killedAt = this.#now;
        finish('later');
      },
    };
  };

  say: LoopTools['say'] = (level, _event, message) => {
    if (level !== 'debug') this.said.push(message);
  };

  onState = (state: string): void => void this.states.push(state);
}
