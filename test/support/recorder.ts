import { createServer, request } from 'node:http';

/** A proxy in front of a store that writes down what is asked, and lets a test slow it down. */
export interface Recorder {
  readonly endpoint: string;
  /** `GET /bucket/key?query`, in the order of arrival. */
  readonly requests: string[];
  stop(): Promise<void>;
}

/** Signatures stay valid: the Host header, which they cover, goes through as it came. */
export async function startRecorder(target: string): Promise<Recorder> {
  const requests: string[] = [];
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`);
    const { method, url: path, headers } = incoming;
    const onward = request({ hostname, port, method, path, headers, agent: false }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const listening = typeof address === 'object' ? address?.port : undefined;
  return {
    endpoint: `http://127.0.0.1:${listening}`,
    requests,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
