import type { Multiparts, OpenUpload, PartToSend, SentPart } from './store.ts';

/** Uploads of a client that is loaded when the first of them is asked for. */
export class LazyMultiparts implements Multiparts {
  readonly #load: () => Promise<Multiparts>;

  constructor(load: () => Promise<Multiparts>) {
    this.#load = load;
  }

  async list(key: string, signal?: AbortSignal): Promise<readonly OpenUpload[]> {
    return (await this.#load()).list(key, signal);
  }

  async create(key: string, signal?: AbortSignal): Promise<OpenUpload> {
    return (await this.#load()).create(key, signal);
  }

  async parts(upload: OpenUpload, signal?: AbortSignal): Promise<readonly SentPart[]> {
    return (await this.#load()).parts(upload, signal);
  }

  async putPart(upload: OpenUpload, part: PartToSend, signal?: AbortSignal): Promise<string> {
    return (await this.#load()).putPart(upload, part, signal);
  }

  async complete(upload: OpenUpload, parts: readonly SentPart[], signal?: AbortSignal): Promise<void> {
    return (await this.#load()).complete(upload, parts, signal);
  }

  async abort(upload: OpenUpload, signal?: AbortSignal): Promise<void> {
    return (await this.#load()).abort(upload, signal);
  }
}
