import { constants, readlinkSync, readSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { CLOSES_ON_EXEC, numbersIn, openFlags } from '../descriptors.ts';

/** libuv's `uv__signal_msg_t` (src/unix/signal.c): the address of a handle, then the signal's number as an int. */
const MESSAGE_BYTES = 16;
const NUMBER_AT = 8;
/** Many times what can come between two turns of the event loop. */
const READ_BYTES = 4096;

/** Both ends of it are this process's. */
interface OwnPipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/**
 * Where libuv's signal handler leaves what it has caught, until the event loop turns and tells JavaScript. What is in there
 * when the listeners go is told to nobody: libuv drops it.
 */
export class SignalPipe {
  /** Each event loop of the process has such a pipe. Signals are in that of the main thread only. */
  readonly #pipes: readonly OwnPipe[];

  private constructor(pipes: readonly OwnPipe[]) {
    this.#pipes = pipes;
  }

  /** Without /proc there is none, and nothing is ever waiting. */
  static find(): SignalPipe {
    const readEnds = new Map<string, number>();
    const writeEnds = new Map<string, number>();
    const wanted = constants.O_NONBLOCK | CLOSES_ON_EXEC;
    for (const fd of numbersIn('/proc/self/fd')) {
      try {
        const name = readlinkSync(`/proc/self/fd/${fd}`);
        const flags = name.startsWith('pipe:') ? openFlags('self', fd) : 0;
        if ((flags & wanted) !== wanted) continue;
        const isWriteEnd = (flags & constants.O_WRONLY) !== 0;
        (isWriteEnd ? writeEnds : readEnds).set(name, Number(fd));
      } catch {
        // It was open only while the folder was read.
      }
    }
    return new SignalPipe(
      [...readEnds].flatMap(([name, readEnd]) => {
        const writeEnd = writeEnds.get(name);
        return writeEnd === undefined ? [] : [{ readEnd, writeEnd }];
      }),
    );
  }

  /** The numbers of the signals that the event loop has not heard of yet. It will: they are left there. */
  waiting(): readonly number[] {
    return this.#pipes.flatMap(({ readEnd, writeEnd }) => {
      const bytes = readNow(readEnd);
      if (bytes.length > 0) writeSync(writeEnd, bytes);
      return signalNumbersIn(bytes);
    });
  }
}

/** What is in the pipe at this moment. */
function readNow(fd: number): Buffer {
  const buffer = Buffer.alloc(READ_BYTES);
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch {
    return buffer.subarray(0, 0); // EAGAIN: nothing
  }
}

function signalNumbersIn(messages: Buffer): readonly number[] {
  const count = Math.floor(messages.length / MESSAGE_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const at = index * MESSAGE_BYTES + NUMBER_AT;
    return endianness() === 'LE' ? messages.readInt32LE(at) : messages.readInt32BE(at);
  });
}
