import type {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';

interface Answer {
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
