import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Seen {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface ScriptedServer {
  readonly endpoint: string;
  readonly seen: readonly Seen[];
  /** Every connection there was, open or not. */
  readonly connections: ReadonlySet<Socket>;
}

export type Script = (request: Seen, response: ServerResponse, count: number) => void;

/** Sees a request when its headers are here; true: it is answered, or never will be. Its body is not read then. */
export type EarlyScript = (incoming: IncomingMessage, response: ServerResponse) => boolean;

/** An HTTP server on this machine that answers as `script` says, and remembers what it was asked. */
export async function startServer(
  script: Script,
  early: EarlyScript = () => false,
): Promise<ScriptedServer & { stop(): Promise<void> }> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    if (early(incoming, response)) return;
    const parts: Buffer[] = [];
    incoming.on('data', (part: Buffer) => parts.push(part));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      seen.push({ method, url, headers, body: Buffer.concat(parts) });
      script({ method, url, headers, body: Buffer.concat(parts) }, response, seen.length);
    });
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    connections: sockets,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Lends such a server to `work`. */
export async function withServer<T>(
  script: Script,
  work: (server: ScriptedServer) => Promise<T>,
  early?: EarlyScript,
): Promise<T> {
  const server = await startServer(script, early);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Passes everything on to another server, with the Host that was signed. */
export function forwardTo(endpoint: string): Script {
  return ({ method, url, headers, body }, response) => {
    const onward = request(endpoint, { method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  };
}

export function answerError(response: ServerResponse, status: number, code: string, more = ''): void {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>said so</Message>${more}</Error>`;
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(xml) });
  response.end(xml);
}

export function answerXml(response: ServerResponse, xml: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`);
}

/** A page of a listing that holds one object, and says where it goes on. */
export function answerPage(response: ServerResponse, key: string, nextToken?: string): void {
  const next =
    nextToken === undefined
      ? '<IsTruncated>false</IsTruncated>'
      : `<IsTruncated>true</IsTruncated><NextContinuationToken>${nextToken}</NextContinuationToken>`;
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${next}` +
      `<Contents><Key>${key}</Key><Size>1</Size><ETag>"e"</ETag></Contents></ListBucketResult>`,
  );
}
