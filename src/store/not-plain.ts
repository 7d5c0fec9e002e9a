/** A client that knows more may be able to do it. */
export class NotPlain extends Error {
  /** Of an answer that says no more than this. */
  readonly status: number | undefined;

  constructor(message: string, details: { readonly status?: number; readonly cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
  }
}
