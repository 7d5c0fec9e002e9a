import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Arrival, BLOCK_BYTES } from '../../src/model/arrival.ts';
import type { Fetched, FileToMake, RangeErrand } from '../../src/wire/messages.ts';
import { FetchFailed, Receivers, type FilesEvents, type RangeEvents } from '../../src/wire/receivers.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { soon } from '../store/bodies.ts';
import { GET, plainAnswer, withTcp, type Answer, type ScriptedTcp } from './scripted-tcp.ts';

const scratch = mkdtempSync(join(tmpdir(), 'receivers-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;
const freshPath = (): string => join(scratch, `file-${(paths += 1)}`);

const ETAG = 'etag: "e"\r\n';
const BODY = '0123456789';
const whole: Answer = (socket) => void socket.write(plainAnswer(BODY, ETAG));

test('a small file is made, hashed, and told of when all of it is there', async () => {
  await receiving(whole, async (receivers, { asked }) => {
    const path = freshPath();
    const told: unknown[] = [];
    await makeBy(receivers, [{ path }], told);
    assert.equal(readFileSync(path, 'utf8'), BODY);
    assert.deepEqual(told, [10, '"e"', sha256(BODY), 0]);
    assert.equal(
      asked[0]?.head,
      'GET /k HTTP/1.1\r\nhost: store\r\nauthorization: signed of it\r\nrange: bytes=0-9\r\n\r\n',
    );
  });
});

test('several come one after the other over one connection, and each is told of in its order', async () => {
  const answer: Answer = (socket, { head }) => {
    const name = /GET \/(\d+)/.exec(head)?.[1] ?? '';
    socket.write(plainAnswer(name.padStart(10, '-'), ETAG));
  };
  await receiving(answer, async (receivers, { asked, sockets }) => {
    const files = ['1', '2', '3'].map((name) => ({
      path: freshPath(),
      target: `/${name}`,
    }));
    const told: unknown[] = [];
    await makeBy(receivers, files, told);
    const contents = files.map(({ path }) => readFileSync(path, 'utf8'));
    assert.deepEqual(contents, ['---------1', '---------2', '---------3']);
    assert.deepEqual(told, [...contents.flatMap((content) => [10, '"e"', sha256(content)]), 0]);
    assert.deepEqual([asked.length, sockets.length], [3, 1]);
  });
});

test('the first that does not come ends them: those before it are told of, and those behind it not asked for', async () => {
  const answer: Answer = (socket, { head }) => {
    if (head.includes('/2')) socket.end(plainAnswer(BODY, ETAG).slice(0, -3));
    else socket.write(plainAnswer(BODY, ETAG));
  };
  await receiving(answer, async (receivers, { asked }) => {
    const files = ['1', '2', '3'].map((name) => ({
      path: freshPath(),
      target: `/${name}`,
    }));
    const told: unknown[] = [];
    await assert.rejects(makeBy(receivers, files, told), failedBy({ kind: 'connection' }));
    assert.deepEqual(told, [10, '"e"', sha256(BODY), 7]);
    assert.equal(asked.length, 2);
    assert.deepEqual(
      files.map(({ path }) => existsSync(path)),
      [true, false, false],
    );
  });
});

test('what was refused in words does not cost its connection', async () => {
  const answer: Answer = (socket, { head }) =>
    void socket.write(
      head.includes('/2') ? plainAnswer('<Error/>', '', '503 Slow Down') : plainAnswer(BODY, ETAG),
    );
  await receiving(answer, async (receivers, { asked, sockets }) => {
    const of = (name: string): { path: string; target: string } => ({
      path: freshPath(),
      target: `/${name}`,
    });
    await makeBy(receivers, [of('1')]);
    await assert.rejects(
      makeBy(receivers, [of('2')]),
      failedBy({ kind: 'refused', refusal: { status: 503 } }),
    );
    await makeBy(receivers, [of('3')]);
    assert.deepEqual([asked.length, sockets.length], [3, 1]);
  });
});

test('a range of a file is written into it; its object is told of first, and its bytes as they come', async () => {
  const size = 3 * BLOCK_BYTES;
  const bytes = 'x'.repeat(2 * BLOCK_BYTES);
  const answer: Answer = (socket) => {
    const headers = `${ETAG}content-range: bytes ${BLOCK_BYTES}-${size - 1}/${size}\r\n`;
    const text = plainAnswer(bytes, headers, '206 Partial Content');
    socket.write(text.slice(0, -100));
    setTimeout(() => socket.write(text.slice(-100)), 150);
  };
  await receiving(answer, async (receivers) => {
    const path = freshPath();
    await using file = await open(path, 'w+');
    const arrival = Arrival.of(size);
    const told: (string | number)[] = [];
    const into = { fd: file.fd, arrival: arrival.memory };
    await fetchBy(receivers, { range: { start: BLOCK_BYTES, end: size }, size, into }, told);
    assert.equal(told[0], '"e"');
    assert.equal(told.at(-1), 100);
    assert.equal(
      told.slice(1).reduce((sum: number, count) => sum + Number(count), 0),
      bytes.length,
    );
    assert.equal(arrival.reachFrom(BLOCK_BYTES, size), size);
    assert.ok(readFileSync(path).subarray(BLOCK_BYTES).equals(Buffer.from(bytes)));
  });
});

test('a range ends earlier when it is cut: its connection is not used again, and what had come stays', async () => {
  const size = 3 * BLOCK_BYTES;
  const text = plainAnswer(
    'x'.repeat(size),
    `${ETAG}content-range: bytes 0-${size - 1}/${size}\r\n`,
    '206 Partial Content',
  );
  const more = Promise.withResolvers<void>();
  const answer: Answer = (socket) => {
    socket.write(text.slice(0, BLOCK_BYTES));
    void more.promise.then(() => socket.write(text.slice(BLOCK_BYTES)));
  };
  await receiving(answer, async (receivers, { sockets }) => {
    const path = freshPath();
    await using file = await open(path, 'w+');
    const arrival = Arrival.of(size);
    const into = { fd: file.fd, arrival: arrival.memory };
    let bytes = 0;
    const cuts: number[] = [];
    await fetchBy(receivers, { range: { start: 0, end: size }, size, into }, [], undefined, {
      onBegun: (_, cut) => {
        cut(size + 1);
        cut(2 * BLOCK_BYTES);
      },
      onCut: (end) => {
        cuts.push(end);
        more.resolve();
      },
      onBytes: (count) => (bytes += count),
    });
    assert.deepEqual([cuts, bytes], [[2 * BLOCK_BYTES], 2 * BLOCK_BYTES]);
    assert.equal(arrival.reachFrom(0, size), 2 * BLOCK_BYTES);
    assert.equal(readFileSync(path).length, 2 * BLOCK_BYTES);
    await fetchBy(receivers, { range: { start: 0, end: size }, size, into });
    assert.equal(sockets.length, 2);
  });
});

describe('of a range, what did not come is a failure of its kind, and its file stays:', () => {
  const size = 2 * BLOCK_BYTES;
  const text = plainAnswer(
    'x'.repeat(size),
    `${ETAG}content-range: bytes 0-${size - 1}/${size}\r\n`,
    '206 Partial Content',
  );
  const rows: readonly { name: string; answer: Answer; etag?: string; failure: object; moved?: number }[] = [
    {
      name: 'another object than was pinned',
      answer: (socket) => socket.write(text),
      etag: '"f"',
      failure: { kind: 'other-object', etag: '"e"', size },
    },
    {
      name: 'a refusal',
      answer: (socket) => socket.write(plainAnswer('<Error/>', '', '412 Precondition Failed')),
      failure: {
        kind: 'refused',
        refusal: { status: 412, headers: { 'content-length': '8' }, body: '<Error/>' },
      },
    },
    {
      name: 'an end in the middle',
      answer: (socket) => socket.end(text.slice(0, -3)),
      failure: { kind: 'connection', error: { code: 'ECONNRESET', message: 'the connection ended early' } },
      moved: size - 3,
    },
    {
      name: 'silence in the middle',
      answer: (socket) => socket.write(text.slice(0, -3)),
      failure: { kind: 'silent' },
      moved: size - 3,
    },
  ];
  for (const { name, answer, etag, failure, moved = 0 } of rows)
    test(name, async () => {
      await receiving(
        answer,
        async (receivers) => {
          const path = freshPath();
          await using file = await open(path, 'w+');
          const arrival = Arrival.of(size);
          const into = { fd: file.fd, arrival: arrival.memory };
          const told: (string | number)[] = [];
          const fetching = fetchBy(receivers, { range: { start: 0, end: size }, size, etag, into }, told);
          await assert.rejects(fetching, failedBy(failure));
          const bytes = told.reduce((sum: number, one) => sum + (typeof one === 'number' ? one : 0), 0);
          assert.deepEqual([bytes, readFileSync(path).length, arrival.isWhole], [moved, moved, false]);
        },
        300,
      );
    });

  test('a stop ends it, and its file stays, and may be closed', async () => {
    await receiving(
      (socket) => socket.write(text.slice(0, -3)),
      async (receivers) => {
        const stop = new AbortController();
        const path = freshPath();
        await using file = await open(path, 'w+');
        const into = { fd: file.fd, arrival: Arrival.of(size).memory };
        const range = { start: 0, end: size };
        const begun = Promise.withResolvers<void>();
        const fetching = fetchBy(receivers, { range, size, into }, [], stop.signal, {
          onBegun: () => begun.resolve(),
        });
        await soon(begun.promise);
        stop.abort();
        await assert.rejects(fetching, failedBy({ kind: 'cancelled' }));
        assert.ok(existsSync(path));
      },
    );
  });
});

test('many at once come each into its own file, over connections that are kept', async () => {
  const answer: Answer = (socket, { head }) => {
    const name = /GET \/(\d+)/.exec(head)?.[1] ?? '';
    socket.write(plainAnswer(name.padStart(10, '-'), ETAG));
  };
  await receiving(answer, async (receivers, { asked, sockets }) => {
    const names = Array.from({ length: 60 }, (_, index) => String(index));
    for (const batch of [names.slice(0, 20), names.slice(20)]) {
      await Promise.all(
        batch.map(async (name) => {
          const path = freshPath();
          await makeBy(receivers, [{ target: `/${name}`, path }]);
          assert.equal(readFileSync(path, 'utf8'), name.padStart(10, '-'));
        }),
      );
    }
    assert.equal(asked.length, 60);
    assert.ok(sockets.length <= 40, `${sockets.length} connections`);
  });
});

interface Row {
  readonly name: string;
  readonly answer: Answer;
  readonly file?: Partial<FileToMake>;
  readonly failure: object;
  /** Bytes that were told of. */
  readonly moved?: number;
}

const failures: readonly Row[] = [
  {
    name: 'a refusal',
    answer: (socket) => socket.write(plainAnswer('<Error/>', '', '404 Not Found')),
    failure: {
      kind: 'refused',
      refusal: { status: 404, headers: { 'content-length': '8' }, body: '<Error/>' },
    },
  },
  {
    name: 'a redirect',
    answer: (socket) => socket.write(plainAnswer('', '', '307 Go')),
    failure: { kind: 'unusual', what: 'status 307' },
  },
  {
    name: 'content in chunks',
    answer: (socket) => socket.write(`HTTP/1.1 200 OK\r\n${ETAG}transfer-encoding: chunked\r\n\r\n`),
    failure: { kind: 'unusual', what: 'content without a length' },
  },
  {
    name: 'an object of another size',
    answer: whole,
    file: { size: 11 },
    failure: { kind: 'other-object', etag: '"e"', size: 10 },
  },
  {
    name: 'an end in the middle',
    answer: (socket) => socket.end(plainAnswer(BODY, ETAG).slice(0, -3)),
    failure: { kind: 'connection', error: { code: 'ECONNRESET', message: 'the connection ended early' } },
    moved: 7,
  },
  {
    name: 'an end before anything',
    answer: (socket) => socket.end(),
    failure: { kind: 'connection', error: { code: 'ECONNRESET', message: 'no answer came' } },
  },
  {
    name: 'silence in the middle',
    answer: (socket) => socket.write(plainAnswer(BODY, ETAG).slice(0, -3)),
    failure: { kind: 'silent' },
    moved: 7,
  },
  { name: 'silence', answer: () => undefined, failure: { kind: 'silent' } },
  {
    name: 'a folder that is not there',
    answer: whole,
    file: { path: join(scratch, 'no', 'folder') },
    failure: { kind: 'disk', error: { code: 'ENOENT', syscall: 'open' } },
  },
];

describe('what did not come is a failure of its kind, and nothing is left of it:', () => {
  for (const { name, answer, file, failure, moved = 0 } of failures)
    test(name, async () => {
      await receiving(
        answer,
        async (receivers) => {
          const path = freshPath();
          const told: (string | number)[] = [];
          const fetching = makeBy(receivers, [{ path, ...file }], told);
          await assert.rejects(fetching, failedBy(failure));
          assert.deepEqual(told, moved === 0 ? [] : [moved]);
          assert.equal(existsSync(path), false);
        },
        300,
      );
    });
});

test('a stop ends a file, and nothing is left of it', async () => {
  const answer: Answer = (socket) => void socket.write(plainAnswer(BODY, ETAG).slice(0, -3));
  await receiving(answer, async (receivers) => {
    const path = freshPath();
    const stop = new AbortController();
    const fetching = makeBy(receivers, [{ path }], [], stop.signal);
    fetching.catch(() => undefined);
    while (!existsSync(path)) await sleep(5);
    stop.abort();
    await assert.rejects(fetching, failedBy({ kind: 'cancelled' }));
    assert.equal(existsSync(path), false);
  });
});

test('what was stopped before it began is never asked for twice, and ends', async () => {
  await receiving(
    () => undefined,
    async (receivers, { asked }) => {
      const fetching = makeBy(receivers, [{ path: freshPath() }], [], AbortSignal.abort());
      await assert.rejects(fetching, failedBy({ kind: 'cancelled' }));
      assert.ok(asked.length <= 1);
    },
  );
});

test('when the thread ends, so does whatever it was on', async () => {
  await receiving(
    () => undefined,
    async (receivers, { asked }) => {
      const fetching = makeBy(receivers, [{ path: freshPath() }]);
      fetching.catch(() => undefined);
      while (asked.length === 0) await sleep(5);
      receivers.close();
      await assert.rejects(fetching, failedBy({ kind: 'thread-ended' }));
    },
  );
});

test('what is prepared has its connections when it is fetched', async () => {
  await receiving(whole, async (receivers, { asked, sockets }) => {
    receivers.prepare(3);
    while (sockets.length < 3) await sleep(5);
    const fetch = (): Promise<Fetched> => makeBy(receivers, [{ path: freshPath() }]);
    await Promise.all([fetch(), fetch(), fetch()]);
    assert.deepEqual([asked.length, sockets.length], [3, 3]);
  });
});

test('a thread that waits has little load, and what has no thread has none', async () => {
  await receiving(
    () => undefined,
    async (receivers) => {
      assert.equal(receivers.takeLoad(), 0);
      receivers.prepare(1);
      const untilItIsLow = async (): Promise<void> => {
        do await sleep(50);
        while (receivers.takeLoad() > 0.5);
      };
      await soon(untilItIsLow());
    },
  );
});

function failedBy(failure: object): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof FetchFailed);
    assert.partialDeepStrictEqual(error.failure, failure);
    return true;
  };
}

function fetchBy(
  receivers: Receivers,
  errand: Partial<RangeErrand> & Pick<RangeErrand, 'into' | 'range' | 'size'>,
  told: (string | number)[] = [],
  signal?: AbortSignal,
  more: Partial<RangeEvents> = {},
): Promise<Fetched> {
  const events: RangeEvents = {
    onBegun: (etag) => told.push(etag),
    onCut: () => undefined,
    onBytes: (count) => told.push(count),
    onDiskBusy: () => undefined,
    ...more,
  };
  const all = {
    kind: 'range',
    request: GET,
    etag: undefined,
    parts: undefined,
    onNewConnection: false,
  } as const;
  return soon(receivers.fetch({ ...all, ...errand }, events, signal));
}

function makeBy(
  receivers: Receivers,
  files: readonly (Partial<FileToMake> & Pick<FileToMake, 'path'>)[],
  told: unknown[] = [],
  signal?: AbortSignal,
): Promise<Fetched> {
  const events: FilesEvents = {
    onMade: ({ etag, digests }) => told.push(etag, digests.sha256),
    onBytes: (count) => told.push(count),
    onDiskBusy: () => undefined,
  };
  const file = { target: '/k', signature: 'of it', size: 10, mode: 0o600, algorithms: ['sha256'] } as const;
  const errand = {
    kind: 'files',
    common: ' HTTP/1.1\r\nhost: store\r\nauthorization: signed ',
    files: files.map((own) => ({ ...file, ...own })),
    onNewConnection: false,
  } as const;
  return soon(receivers.fetchFiles(errand, events, signal));
}

async function receiving(
  answer: Answer,
  work: (receivers: Receivers, server: ScriptedTcp) => Promise<void>,
  patience = 0,
): Promise<void> {
  await withTcp(answer, async (server) => {
    const receivers = new Receivers(server.endpoint, patience, 1);
    try {
      await work(receivers, server);
    } finally {
      receivers.close();
    }
  });
}
