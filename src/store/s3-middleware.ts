import { Readable } from 'node:stream';
import type {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { countdown } from '../countdown.ts';
import { ModelCacheError } from '../errors.ts';

/** A page of 1000 keys, each of 1024 bytes that take three characters each, and what stands beside them. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body: AsyncIterable<Buffer> | Buffer;
}

/** For a body that can be read once: the SDK would follow a redirect with what is left of it. */
export function sendOnce(command: UploadPartCommand): void {
  command.middlewareStack.add(
    (next) => {
      let failure: { readonly error: unknown } | undefined;
      return async (args) => {
        if (failure !== undefined) throw failure.error;
        try {
          return await next(args);
        } catch (error) {
          failure = { error };
          throw error;
        }
      };
    },
    { step: 'initialize', priority: 'low', name: 'sendOnce' },
  );
}

/** Calls `onSilence` when one of the SDK's tries has no answer for so many ms. Its pauses between them do not count. */
export function watchTries(command: GetObjectCommand, patience: number, onSilence: () => void): void {
  command.middlewareStack.add(
    (next) => async (args) => {
      const timer = countdown(patience, onSilence);
      try {
        return await next(args);
      } finally {
        clearTimeout(timer);
      }
    },
    { step: 'deserialize', priority: 'low', name: 'watchTries' },
  );
}

/** The store's clock when it answered, in ms since 1970, to the second; this machine's when it does not say. */
export function answeredAt(command: CreateMultipartUploadCommand): () => number {
  let date = NaN;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = Date.parse((result.response as Answer).headers['date'] ?? '');
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'answeredAt' },
  );
  return () => (Number.isNaN(date) ? Date.now() : date);
}

/**
 * A store that takes long to complete an upload sends 200 and spaces until it knows how that ended. The SDK sees an
 * error in such an answer only when not even a line end is behind it.
 */
export function trimAnswer(command: CompleteMultipartUploadCommand): void {
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const answer = result.response as Answer;
      const body = Buffer.isBuffer(answer.body)
        ? answer.body
        : Buffer.concat(await Array.fromAsync(answer.body));
      answer.body = Buffer.from(body.toString().trim());
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'trimAnswer' },
  );
}

/** Whatever is no object's content is kept in memory and parsed: it must be of some size, and here within `patience` ms. */
export function boundAnswers(client: S3Client, patience: number): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const answer = result.response as Answer;
        const isContent = commandName === 'GetObjectCommand' && answer.statusCode < 300;
        if (!isContent && answer.body instanceof Readable)
          answer.body = Readable.from(bounded(answer.body, patience));
        return result;
      },
    { step: 'deserialize', priority: 'low', name: 'boundAnswers' },
  );
}

async function* bounded(body: Readable, patience: number): AsyncGenerator<Buffer> {
  const late = asOfSdk(
    new ModelCacheError('store-stalled', `an answer was not complete after ${patience / 1000} s`),
  );
  const timer = countdown(patience, () => body.destroy(late));
  let length = 0;
  try {
    for await (const chunk of body) {
      length += (chunk as Buffer).length;
      if (length > MAX_ANSWER_BYTES) throw asOfSdk(tooLong());
      yield chunk as Buffer;
    }
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

function tooLong(): ModelCacheError {
  return new ModelCacheError('store-failed', 'the store gave a longer answer than there is', {
    wanted: `at most ${MAX_ANSWER_BYTES} bytes`,
    found: 'more',
  });
}

/** The SDK adds words of its own to the message of every error but those that have this. */
function asOfSdk(error: ModelCacheError): ModelCacheError {
  return Object.assign(error, { $metadata: {} });
}
