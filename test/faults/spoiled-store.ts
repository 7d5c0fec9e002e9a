import {
  request as askStore,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { startServer, type Seen, type ScriptedServer } from '../store/scripted-s3.ts';

/** What a request is for. `content`: the bytes of a file, or a range of them. */
export type Kind =
  | 'list'
  | 'format'
  | 'manifest'
  | 'content'
  | 'head'
  | 'put'
  | 'put manifest'
  | 'list uploads'
  | 'create upload'
  | 'list parts'
  | 'put part'
  | 'complete upload'
  | 'abort upload';

export interface Asked extends Seen {
  readonly kind: Kind;
  /** Among the requests of its kind, from 1. */
  readonly nth: number;
  /** Of the bucket; empty for a listing. */
  readonly key: string;
}

/** The store's own answer, changed on its way. */
export interface Change {
  /** Said before the answer. */
  readonly before?: (response: ServerResponse) => void;
  readonly status?: number;
  /** Those that are undefined are left out. */
  readonly headers?: (headers: IncomingHttpHeaders) => IncomingHttpHeaders;
  /** Passes the body on in its own manner; when left out, as it comes. */
  readonly body?: (answer: IncomingMessage, response: ServerResponse) => void;
}

/** An answer of its own, which may be none. */
export type Answer = (response: ServerResponse) => void | Promise<void>;

/** Undefined: the store answers, and nothing is spoiled. */
export type Spoil = (asked: Asked) => Answer | Change | undefined;

/** A server in front of a store that passes everything on, but for what `spoil` says. */
export function startSpoiledStore(
  endpoint: string,
  spoil: Spoil,
): Promise<ScriptedServer & { stop(): Promise<void> }> {
  const counts = new Map<Kind, number>();
  return startServer((seen, response) => {
    const kind = kindOf(seen);
    const nth = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, nth);
    const spoiled = spoil({ ...seen, kind, nth, key: keyOf(seen) });
    response.on('error', () => undefined);
    if (typeof spoiled === 'function') Promise.resolve(spoiled(response)).catch(() => response.destroy());
    else forward(endpoint, seen, response, spoiled ?? {});
  });
}

function forward(endpoint: string, seen: Seen, response: ServerResponse, change: Change): void {
  const { method, url, headers, body } = seen;
  const onward = askStore(endpoint, { method, path: url, headers, agent: false }, (answer) => {
    change.before?.(response);
    const changed = Object.entries(change.headers?.(answer.headers) ?? answer.headers);
    const headers = Object.fromEntries(changed.filter(([, value]) => value !== undefined));
    response.writeHead(change.status ?? answer.statusCode ?? 500, headers);
    answer.on('error', () => response.destroy());
    if (change.body === undefined) answer.pipe(response);
    else change.body(answer, response);
  });
  onward.on('error', () => response.destroy());
  response.on('close', () => onward.destroy());
  onward.end(body);
}

function keyOf({ url }: Seen): string {
  const [, , ...key] = (url.split('?')[0] ?? '').split('/');
  return decodeURIComponent(key.join('/'));
}

function kindOf(seen: Seen): Kind {
  const { method, url } = seen;
  const key = keyOf(seen);
  const query = new URLSearchParams(url.split('?')[1]);
  const isManifest = key.includes('/.model-cache/v1/manifests/');
  switch (method) {
    case 'HEAD':
      return 'head';
    case 'POST':
      return query.has('uploads') ? 'create upload' : 'complete upload';
    case 'PUT':
      return query.has('partNumber') ? 'put part' : isManifest ? 'put manifest' : 'put';
    case 'DELETE':
      return 'abort upload';
    default:
      if (query.has('uploads')) return 'list uploads';
      if (query.has('uploadId')) return 'list parts';
      if (key === '') return 'list';
      if (key.endsWith('/format.json')) return 'format';
      return isManifest ? 'manifest' : 'content';
  }
}
