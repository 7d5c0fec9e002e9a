import { createServer, type AddressInfo } from 'node:net';

/** A port that was free a moment ago; whoever binds it later must be ready to lose the race. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}
