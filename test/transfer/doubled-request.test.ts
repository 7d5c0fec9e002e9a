import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BLOCK_BYTES } from '../../src/model/arrival.ts';
import type { CatalogFile } from '../../src/model/catalog.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { Downloader } from '../../src/transfer/download.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { s3Settings } from '../store/s3-settings.ts';
import { noBlake3, partDigestsOf } from './part-digests-of.ts';
import { withTcp, type Answer } from '../wire/scripted-tcp.ts';

const scratch = mkdtempSync(join(tmpdir(), 'doubled-'));
after(() => rmSync(scratch, { recursive: true }));

const MiB = 1024 * 1024;
const PART = MiB;
const BYTES = randomBytes(64 * PART);
/** Long enough for what has come to be hashed. */
const HASHED_MS = 200;

const WANTED: CatalogFile = {
  path: 'blobs/w',
  size: BYTES.length,
  key: 'k',
  digests: { sha256: sha256(BYTES) },
  executable: false,
  parts: partDigestsOf(BYTES, PART),
};

describe('of two requests for the same bytes, the one that brings others late does no harm', () => {
  const rows = [undefined, 'the test'].flatMap((onlySdk) =>
    [false, true].flatMap((partsProve) =>
      [512 * 1024, 32 * 1024].map((firstBytes) => ({ onlySdk, partsProve, firstBytes })),
    ),
  );
  for (const { onlySdk, partsProve, firstBytes } of rows) {
    const skip = partsProve && noBlake3;
    const plane = onlySdk === undefined ? 'our own sockets' : 'the SDK';
    const place = firstBytes < BLOCK_BYTES ? 'before their block is whole' : 'when their blocks are whole';
    test(`over ${plane}, proved ${partsProve ? 'by parts' : 'as a whole'}, ${place}`, { skip }, async () => {
      const { answer, wasAskedTwice } = liar(firstBytes);
      await withTcp(answer, async ({ endpoint: { host, port } }) => {
        const store = await S3Store.open(s3Settings({ endpoint: `http://${host}:${port}`, onlySdk }));
        const found = await download(store, partsProve).finally(() => store.close());
        assert.ok(found.equals(BYTES));
        assert.ok(wasAskedTwice());
      });
    });
  }
});

/**
 * Says nothing to the request for the end of the file until it comes once more. Then the first one gets `firstBytes`, the
 * second one the same bytes with one bit flipped, and the first one the rest.
 */
function liar(firstBytes: number): { readonly answer: Answer; readonly wasAskedTwice: () => boolean } {
  const ends: { readonly socket: Socket; readonly start: number; readonly end: number }[] = [];
  const answer: Answer = (socket, { head }) => {
    const [, first = '', last = ''] = /range: bytes=(\d+)-(\d+)/i.exec(head) ?? [];
    const asked = { socket, start: Number(first), end: Number(last) + 1 };
    if (asked.end === BYTES.length) ends.push(asked);
    const [one, other] = ends;
    if (asked.end < BYTES.length || ends.length > 2) {
      begin(socket, asked.start, asked.end);
      socket.write(BYTES.subarray(asked.start, asked.end));
    } else if (one !== undefined && other !== undefined) void bring(one, other);
  };
  const bring = async (one: (typeof ends)[0], other: (typeof ends)[0]): Promise<void> => {
    const middle = one.start + firstBytes;
    begin(one.socket, one.start, one.end);
    one.socket.write(BYTES.subarray(one.start, middle));
    await sleep(HASHED_MS);
    const wrong = Buffer.from(BYTES.subarray(other.start, middle));
    wrong[10] = (wrong[10] ?? 0) ^ 1;
    begin(other.socket, other.start, other.end);
    other.socket.write(wrong);
    await sleep(HASHED_MS);
    one.socket.write(BYTES.subarray(middle, one.end));
  };
  return { answer, wasAskedTwice: () => ends.length > 1 };
}

function begin(socket: Socket, start: number, end: number): void {
  const range = `content-range: bytes ${start}-${end - 1}/${BYTES.length}`;
  socket.write(
    `HTTP/1.1 206 Partial Content\r\netag: "e"\r\n${range}\r\ncontent-length: ${end - start}\r\n\r\n`,
  );
}

/** What is on disk when it has been proved. */
async function download(store: S3Store, partsProve: boolean): Promise<Buffer> {
  const progress = new Progress();
  progress.expect(1, BYTES.length);
  const path = join(mkdtempSync(join(scratch, 'file-')), 'staged');
  await using file = await open(path, 'w+');
  const settings = { partsProve, bounds: { width: 4, partBytes: 4 * MiB } };
  const events = { onCorrupt: () => undefined, onResumed: () => undefined };
  const downloader = new Downloader(store, progress, settings, new AbortController().signal, events);
  try {
    const staging = { path, file, journal: undefined, found: undefined, needsFlush: false };
    await soon(downloader.download(WANTED, staging));
    return readFileSync(path);
  } finally {
    downloader.close();
  }
}
