import type { MessagePort, Worker } from 'node:worker_threads';

/** Milliseconds that what can wait does wait for company. */
const LINGER_MS = 10;

/** Messages to another thread, which cross together where they can, and in their order: each crossing has its price. */
export class Outbox<Message> {
  readonly #to: Pick<MessagePort | Worker, 'postMessage'>;
  #messages: Message[] = [];
  #isDue = false;
  #lingering: NodeJS.Timeout | undefined;

  constructor(to: Pick<MessagePort | Worker, 'postMessage'>) {
    this.#to = to;
  }

  /** With all others of this turn of the event loop. */
  put(message: Message): void {
    this.#messages.push(message);
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#send());
  }

  /** With those of the next milliseconds. */
  putSoon(message: Message): void {
    this.#messages.push(message);
    this.#lingering ??= setTimeout(() => this.#send(), LINGER_MS);
  }

  #send(): void {
    clearTimeout(this.#lingering);
    this.#lingering = undefined;
    this.#isDue = false;
    const messages = this.#messages;
    if (messages.length === 0) return;
    this.#messages = [];
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#to.postMessage(messages);
  }
}
