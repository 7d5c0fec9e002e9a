import type { AnswerReader } from './connection.ts';
import { allHeaders, UnusualAnswer, type ResponseHead } from './response-head.ts';

/** What a store says of what it was sent. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A refusal whose words cannot be read: AWS says them in chunks. Its status may say enough. */
export class WordlessRefusal extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`status ${answer.status}`);
    this.answer = answer;
  }
}

const MAX_ANSWER_BYTES = 64 * 1024;

/** Keeps the whole of one short answer. */
export class ShortAnswerReader implements AnswerReader {
  readonly #bytes: Buffer[] = [];
  #head: ResponseHead | undefined;

  begin(head: ResponseHead): void {
    const { status, contentLength } = head;
    this.#head = head;
    if (contentLength !== undefined && contentLength <= MAX_ANSWER_BYTES) return;
    if (status >= 400) throw new WordlessRefusal(this.answer);
    throw new UnusualAnswer(`an answer of ${contentLength ?? 'unknown'} bytes with status ${status}`);
  }

  take(bytes: Buffer): void {
    this.#bytes.push(Buffer.from(bytes));
  }

  get answer(): Answer {
    return {
      status: this.#head?.status ?? 0,
      headers: this.#head === undefined ? {} : allHeaders(this.#head),
      body: Buffer.concat(this.#bytes).toString('utf8'),
    };
  }
}
