import type { AnswerReader } from '../../src/wire/connection.ts';
import type { ResponseHead } from '../../src/wire/response-head.ts';

/** Remembers an answer as it was told. */
export class Heard implements AnswerReader {
  readonly heads: ResponseHead[] = [];
  body = '';

  begin(head: ResponseHead): void {
    this.heads.push(head);
  }

  take(bytes: Buffer): void {
    this.body += bytes.toString('latin1');
  }
}
