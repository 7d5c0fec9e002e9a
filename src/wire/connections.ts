import {
  ClosedBeforeAnswer,
  Connection,
  LOOKS,
  type AnswerReader,
  type Endpoint,
  type Exchanged as ExchangedOver,
  type PlainRequest,
} from './connection.ts';

export interface ExchangeOptions {
  /** On a connection of its own: what arrived wrong may have been the way's fault. */
  readonly onNewConnection?: boolean;
  /** Hears of a way to end it. */
  readonly onBegin?: (end: (reason: Error) => void) => void;
}

/** What is known after an exchange. */
export interface Exchanged extends ExchangedOver {
  /** Milliseconds that a connection made for it took to be accepted. */
  readonly connectMs: number | undefined;
}

/** Connections to one endpoint, kept while they are of use. The last one that became free is taken first: it is the warmest. */
export class Connections {
  readonly #endpoint: Endpoint;
  readonly #memory: Uint8Array;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #looking: NodeJS.Timeout | undefined;
  #session: Buffer | undefined;

  /** All are read into `memory`; silent for `patience` milliseconds, a connection is ended. 0: never. */
  constructor(endpoint: Endpoint, memory: Uint8Array, patience: number) {
    this.#endpoint = endpoint;
    this.#memory = memory;
    if (patience <= 0) return;
    this.#looking = setInterval(() => this.#look(), patience / LOOKS);
    this.#looking.unref();
  }

  /**
   * Sends a request and reads the answer. One that met a connection which the other side was about to close is sent
   * once more, its body made anew; `reader` has heard nothing by then.
   */
  async exchange(
    request: PlainRequest,
    reader: AnswerReader,
    options: ExchangeOptions = {},
  ): Promise<Exchanged> {
    const kept = options.onNewConnection === true ? undefined : this.#takeIdle();
    if (kept !== undefined) {
      try {
        const { isSent } = await this.#over(kept, request, reader, options);
        return { isSent, connectMs: undefined };
      } catch (error) {
        if (!(error instanceof ClosedBeforeAnswer)) throw error;
      }
    }
    const fresh = this.#open();
    const { isSent } = await this.#over(fresh, request, reader, options);
    return { isSent, connectMs: fresh.connectMs };
  }

  /**
   * Makes one for a request that is to come, and, when the way there is known, as many more as `more` says for its
   * milliseconds. Whoever asks meanwhile has them: they take a request before they are accepted.
   */
  openAhead(more: (connectMs: number) => number): void {
    this.#idle.push(
      this.#open((connectMs) => {
        for (let left = more(connectMs); left > 0; left -= 1) this.#idle.unshift(this.#open());
      }),
    );
  }

  close(): void {
    clearInterval(this.#looking);
    for (const connection of this.#all) connection.destroy();
  }

  async #over(
    connection: Connection,
    request: PlainRequest,
    reader: AnswerReader,
    { onBegin, onNewConnection = false }: ExchangeOptions,
  ): Promise<ExchangedOver> {
    onBegin?.((reason) => connection.destroy(reason));
    const exchanged = await connection.exchange(request, reader);
    if (onNewConnection) connection.destroy();
    else if (connection.isUsable) this.#idle.push(connection);
    return exchanged;
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.isUsable) return connection;
    }
  }

  #open(onAccepted?: (connectMs: number) => void): Connection {
    const connection = new Connection(this.#endpoint, this.#memory, this.#session, {
      ...(onAccepted && { onAccepted }),
      onSession: (session) => (this.#session = session),
      onEnd: (ended) => this.#all.delete(ended),
    });
    this.#all.add(connection);
    return connection;
  }

  #look(): void {
    for (const connection of this.#all) connection.look();
  }
}
