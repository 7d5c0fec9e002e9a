import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Rig } from './rig.ts';

/** `host:port` of a listener that does this with each connection. */
export async function listener(rig: Rig, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  rig.later(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const LISTENS_AND_SLEEPS = `
  const server = require('node:net').createServer().listen(0, '127.0.0.1', 1, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  })`;

/**
 * `host:port` of a listener that never accepts, and whose queue is full: the kernel drops every SYN, as a firewall does
 * that says nothing.
 */
export async function blackHole(rig: Rig): Promise<string> {
  const child = spawn(process.execPath, ['-e', LISTENS_AND_SLEEPS], { stdio: ['ignore', 'pipe', 'ignore'] });
  rig.later(() => child.kill('SIGKILL'));
  const port = await new Promise<number>((resolve) =>
    child.stdout.once('data', (text: Buffer) => resolve(Number(text))),
  );
  // One more than the backlog is accepted by the kernel.
  for (const _ of [1, 2]) {
    const socket = createConnection({ host: '127.0.0.1', port });
    rig.later(() => socket.destroy());
    await new Promise<void>((connected) => socket.once('connect', connected));
    socket.on('error', () => undefined);
  }
  return `127.0.0.1:${port}`;
}

/** An endpoint in front of the store that speaks HTTP/1.0: one request a connection, and its end is the answer's end. */
export async function oldHttp(rig: Rig): Promise<string> {
  const address = await listener(rig, (socket) => {
    let asked = '';
    socket.on('data', (bytes: Buffer) => {
      asked += bytes.toString('latin1');
      if (!asked.endsWith('\r\n\r\n')) return;
      const [first = '', ...lines] = asked.trimEnd().split('\r\n');
      const [method = '', path = ''] = first.split(' ');
      const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2)));
      const onward = request(rig.minio.endpoint, { method, path, headers, agent: false }, (answer) => {
        const { statusCode = 500, rawHeaders } = answer;
        const said = Array.from({ length: rawHeaders.length / 2 }, (_, index) =>
          rawHeaders.slice(2 * index, 2 * index + 2),
        );
        const kept = said.filter(([name = '']) => !/^(connection|transfer-encoding|keep-alive)$/i.test(name));
        const text = kept.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        socket.write(`HTTP/1.0 ${statusCode} said\r\n${text}\r\n`);
        answer.pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      onward.end();
    });
  });
  return `http://${address}`;
}
