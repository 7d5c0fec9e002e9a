import type { Clock } from './clock.ts';
import type { Level } from '../log-event.ts';
import type { WriteBackEvent } from './lines.ts';
import type { RunningPass } from './pass.ts';

export interface LoopTools extends Clock {
  /** The fingerprint of what is on the disk. */
  readonly look: () => Promise<string>;
  readonly isServerRunning: () => boolean;
  readonly hasLiveDownload: () => Promise<boolean>;
  readonly startPass: () => RunningPass;
  readonly say: (level: Level, event: WriteBackEvent, message: string) => void;
  readonly onState: (state: 'waiting' | 'uploading') => void;
  /** Milliseconds without anything new after which it ends; 0: never. */
  readonly idle: number;
  /** Milliseconds that are left when the server has ended. */
  readonly grace: number;
  /** The fingerprint that needs no pass. */
  readonly passed: string;
}

export type EndReason = 'server-ended' | 'idle' | 'never' | 'stopped';
