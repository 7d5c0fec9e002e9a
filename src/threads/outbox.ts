import type { MessagePort, Worker } from 'node:worker_threads';

/** Messages to another thread, of which those of one turn of the event loop cross together: each crossing has its price. */
export class Outbox<Message> {
  readonly #to: Pick<MessagePort | Worker, 'postMessage'>;
  #messages: Message[] = [];

  constructor(to: Pick<MessagePort | Worker, 'postMessage'>) {
    this.#to = to;
  }

  put(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length === 1) setImmediate(() => this.#send());
  }

  #send(): void {
    const messages = this.#messages;
    this.#messages = [];
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#to.postMessage(messages);
  }
}
