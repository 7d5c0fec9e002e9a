import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerError } from '../store/scripted-s3.ts';
import type { Answer, Change } from './spoiled-store.ts';

/** The connection stays open, and nothing comes. */
export const silence: Answer = () => undefined;

/** The connection ends with an RST. */
export const reset = (response: ServerResponse): void => void response.socket?.resetAndDestroy();

export function refusal(
  status: number,
  code: string,
  more = '',
  headers: Record<string, string> = {},
): Answer {
  return (response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answerError(response, status, code, more);
  };
}

/** As AWS says it: in chunks. */
export function refusalInChunks(status: number, code: string): Answer {
  const words = `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;
  return saying(status, { 'content-type': 'application/xml', 'transfer-encoding': 'chunked' }, words);
}

export function saying(status: number, headers: Record<string, string>, body: string | Buffer = ''): Answer {
  return (response) => void response.writeHead(status, headers).end(body);
}

type Bodily = Required<Pick<Change, 'body'>>;

/** The answer as it is, up to so many bytes of the body; then `end` happens to the connection. */
export function upTo(bytes: number, end: (response: ServerResponse) => void): Bodily {
  return {
    body: (answer, response) => {
      let left = bytes;
      response.flushHeaders();
      answer.on('data', (chunk: Buffer) => {
        const part = chunk.subarray(0, left);
        left -= part.length;
        if (left > 0) return void response.write(part);
        answer.pause();
        // What was written before must have left.
        response.write(part, () => end(response));
      });
      answer.on('end', () => response.end());
    },
  };
}

export const hangUp = (response: ServerResponse): void => void response.socket?.destroy();

export const fallSilent = (): void => undefined;

/** The bytes in another form; the length that is announced stays that of the store. */
export function rewritten(rewrite: (chunk: Buffer) => Buffer): Bodily {
  return {
    body: (answer: IncomingMessage, response) => {
      answer.on('data', (chunk: Buffer) => response.write(rewrite(chunk)));
      answer.on('end', () => response.end());
    },
  };
}

export function inverted(chunk: Buffer): Buffer {
  return Buffer.from(chunk.map((byte) => byte ^ 0xff));
}

/** A page of XML where an S3 store would answer. */
export function xml(text: string | Buffer): Answer {
  return saying(200, { 'content-type': 'application/xml' }, text);
}

/** The head of the answer with other lines; those that are undefined are left out. */
export function head(changes: Record<string, string | undefined>, status?: number): Change {
  return { ...(status === undefined ? {} : { status }), headers: (headers) => ({ ...headers, ...changes }) };
}
