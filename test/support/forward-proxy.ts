import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ForwardProxy {
  readonly endpoint: string;
  /** The addresses that it was asked for, each with its host. */
  readonly asked: readonly string[];
  stop(): Promise<void>;
}

/** As it stands before a network: it is asked for whole addresses. Whatever host they name, it asks `target`. */
export async function startForwardProxy(target: string): Promise<ForwardProxy> {
  const asked: string[] = [];
  const server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
    const { method, url = '', headers } = incoming;
    asked.push(url);
    if (!URL.canParse(url)) return void response.writeHead(400).end();
    const { pathname, search } = new URL(url);
    const onward = request(
      target,
      { method, path: `${pathname}${search}`, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
