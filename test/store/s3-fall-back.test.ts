import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ModelCacheError } from '../../src/errors.ts';
import { Arrival } from '../../src/model/arrival.ts';
import { proxiesOf } from '../../src/settings/proxies.ts';
import { RawSettings } from '../../src/settings/raw.ts';
import type { S3Settings } from '../../src/store/s3-access.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import type { FilesOrder } from '../../src/store/store.ts';
import type { MadeFile } from '../../src/wire/messages.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { sha256 } from '../cache/cache-dir.ts';
import { listed, soon } from './bodies.ts';
import { answerError, answerPage, startServer, withServer, type Script, type Seen } from './scripted-s3.ts';
import { s3Settings } from './s3-settings.ts';

const scratch = mkdtempSync(join(tmpdir(), 's3-fall-back-'));
after(() => rmSync(scratch, { recursive: true }));
let paths = 0;
const freshPath = (): string => join(scratch, `file-${(paths += 1)}`);

const BODY = '0123456789';
const CONTENT = { etag: '"e"', 'content-range': 'bytes 0-9/10' };
const MISSING = 'NoSuchKey';
const ORDER = {
  onNewConnection: false,
  signal: new AbortController().signal,
  onBytes: (): void => undefined,
  onDiskBusy: (): void => undefined,
};

/** A script for whoever asks, the program itself or the SDK. */
type Answers = (response: ServerResponse, count: number) => void;
const well: Answers = (response) => response.writeHead(206, { ...CONTENT, 'content-length': 10 }).end(BODY);
/** Node sends a body in chunks when it is not told its length. */
const inChunks: Answers = (response) => response.writeHead(206, CONTENT).end(BODY);
const short: Answers = (response) => {
  response.writeHead(206, { ...CONTENT, 'content-length': 10 });
  response.write(BODY.slice(0, 7), () => response.destroy());
};

/** As AWS does. */
function refuseInChunks(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'transfer-encoding': 'chunked' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
}

interface Row {
  readonly name: string;
  readonly own: Answers;
  readonly sdk?: Answers;
  /** Of two fetches, one after the other: whether they come, or the code of their error. */
  readonly fetched: readonly [true | string, true | string];
  /** Who asked, in order. */
  readonly asked: readonly ('own' | 'sdk')[];
  readonly why?: string;
}

const BY_OWN = ['own', 'own'] as const;
const ONCE_BY_OWN = ['own', 'sdk', 'sdk'] as const;

const rows: readonly Row[] = [
  { name: 'what is plain', own: well, fetched: [true, true], asked: BY_OWN },
  {
    name: 'the last answer of each connection',
    own: (response) => well(response.setHeader('connection', 'close'), 0),
    fetched: [true, true],
    asked: BY_OWN,
  },
  {
    name: 'all of a small object, where ranges are not heeded',
    own: (response) => response.writeHead(200, { etag: '"e"', 'content-length': 10 }).end(BODY),
    fetched: [true, true],
    asked: BY_OWN,
  },
  {
    name: 'content in chunks',
    own: inChunks,
    fetched: [true, true],
    asked: ONCE_BY_OWN,
    why: 'content without a length',
  },
  {
    name: 'hints before the answer',
    own: (response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      well(response, 0);
    },
    fetched: [true, true],
    asked: ONCE_BY_OWN,
    why: 'a status line that is none: "HTTP/1.1 103 Early Hints"',
  },
  {
    name: 'a region that it sends on to',
    own: (response) =>
      answerError(response.setHeader('x-amz-bucket-region', 'eu-west-1'), 301, 'PermanentRedirect'),
    sdk: (response, count) =>
      count === 1
        ? answerError(response.setHeader('x-amz-bucket-region', 'eu-west-1'), 301, 'PermanentRedirect')
        : well(response, count),
    fetched: [true, true],
    asked: ['own', 'sdk', 'sdk', 'sdk'],
    why: 'status 301',
  },
  {
    name: 'another host that it sends on to, which nobody follows',
    own: (response) => response.writeHead(307, { location: 'http://elsewhere.invalid/' }).end(),
    fetched: ['store-failed', 'store-failed'],
    asked: ['own', 'sdk', 'own', 'sdk'],
  },
  {
    name: 'another range',
    own: (response) => response.writeHead(206, { etag: '"e"', 'content-range': 'bytes 1-9/10' }).end(BODY),
    fetched: ['store-failed', 'store-failed'],
    asked: ['own', 'sdk', 'own', 'sdk'],
  },
  {
    name: 'a body that ends early',
    own: short,
    fetched: ['store-unreachable', 'store-unreachable'],
    asked: BY_OWN,
  },
  {
    name: 'a body that ends early, once',
    own: (r, count) => (count === 1 ? short : well)(r, count),
    fetched: ['store-unreachable', true],
    asked: BY_OWN,
  },
  {
    name: 'nothing on a connection that was kept, once',
    own: (response, count) => (count === 2 ? response.destroy() : well(response, count)),
    fetched: [true, true],
    asked: ['own', 'own', 'own'],
  },
  {
    name: 'that there is no such object, in chunks',
    own: (response) => refuseInChunks(response, 404, MISSING),
    fetched: ['object-missing', 'object-missing'],
    asked: ['own', 'sdk', 'own', 'sdk'],
  },
  {
    name: 'that there is no such object, at once',
    own: (response) => {
      const words = `<Error><Code>${MISSING}</Code></Error>`;
      response.writeHead(404, { 'content-length': words.length }).end(words);
    },
    fetched: ['object-missing', 'object-missing'],
    asked: BY_OWN,
  },
  {
    name: 'that it is too much, in chunks',
    own: (response, count) =>
      count === 1 ? refuseInChunks(response, 503, 'SlowDown') : well(response, count),
    fetched: ['store-throttled', true],
    asked: BY_OWN,
  },
  {
    name: 'that it was replaced, in chunks',
    own: (response) => refuseInChunks(response, 412, 'PreconditionFailed'),
    fetched: ['object-changed', 'object-changed'],
    asked: BY_OWN,
  },
  {
    name: 'that it ends before, in chunks',
    own: (response) => refuseInChunks(response, 416, 'InvalidRange'),
    fetched: ['object-size-differs', 'object-size-differs'],
    asked: ['own', 'sdk', 'own', 'sdk'],
  },
  {
    name: 'that the key may not',
    own: (response) => answerError(response, 403, 'AccessDenied'),
    fetched: ['store-denied', 'store-denied'],
    asked: ['own', 'sdk', 'own', 'sdk'],
  },
];

for (const [what, outcomeOf] of [
  ['a range', outcomeOfRange],
  ['a small object', outcomeOfFile],
] as const)
  describe(`when a store answers for ${what} with`, () => {
    for (const { name, own, sdk = own, fetched, asked, why } of rows)
      test(name, async () => {
        const counts = { own: 0, sdk: 0 };
        const script: Script = (seen, response) => {
          const who = askerOf(seen);
          counts[who] += 1;
          (who === 'own' ? own : sdk)(response, counts[who]);
        };
        await withServer(script, async ({ endpoint, seen }) => {
          await withStore({ endpoint }, async (store, told) => {
            for (const wanted of fetched) assert.equal(await outcomeOf(store), wanted);
            assert.deepEqual(seen.map(askerOf), asked);
            assert.deepEqual(told, why === undefined ? [] : [why]);
          });
        });
      });
  });

test('what is odd in the middle of several small objects is left to the SDK, and what is made is not asked for again', async () => {
  let asked = 0;
  const script: Script = (seen, response) => {
    asked += 1;
    (asked === 2 && askerOf(seen) === 'own' ? inChunks : well)(response, asked);
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withStore({ endpoint }, async (store, told) => {
      const made: MadeFile[] = [];
      const paths = [1, 2, 3].map(freshPath);
      await soon(store.ranges.fetchFiles(filesOrder(paths, made)));
      assert.deepEqual(
        made.map(({ digests }) => digests.sha256),
        paths.map(() => sha256(BODY)),
      );
      for (const path of paths) assert.equal(readFileSync(path, 'utf8'), BODY);
      assert.deepEqual(seen.map(askerOf), ['own', 'own', 'sdk', 'sdk']);
      assert.deepEqual(told, ['content without a length']);
    });
  });
});

test('an error is about the one of several small objects that did not come', async () => {
  const script: Script = (seen, response) => {
    if (!seen.url.includes('k-2')) return well(response, 0);
    const words = `<Error><Code>${MISSING}</Code></Error>`;
    response.writeHead(404, { 'content-length': words.length }).end(words);
  };
  await withServer(script, async ({ endpoint }) => {
    await withStore({ endpoint }, async (store) => {
      const made: MadeFile[] = [];
      const paths = [1, 2, 3].map(freshPath);
      const fetching = soon(store.ranges.fetchFiles(filesOrder(paths, made)));
      await assert.rejects(fetching, (error) => {
        assert.ok(error instanceof ModelCacheError);
        assert.equal(error.code, 'object-missing');
        assert.match(error.message, /k-2/);
        return true;
      });
      assert.equal(made.length, 1);
      assert.deepEqual(
        paths.map((path) => existsSync(path)),
        [true, false, false],
      );
    });
  });
});

test('content that turns out odd in the middle is asked for again, by the SDK, and told of once', async () => {
  const script: Script = (seen, response) => {
    response.writeHead(206, { ...CONTENT, 'content-length': 10 });
    if (askerOf(seen) === 'sdk') return void response.end(BODY);
    response.write(BODY.slice(0, 7));
    // More than was announced, past Node's own counting.
    setTimeout(() => response.socket?.write('789 and more'), 100);
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withStore({ endpoint }, async (store, told) => {
      assert.equal(await outcomeOfFile(store), 'store-failed');
      assert.equal(await outcomeOfFile(store), true);
      assert.equal(await outcomeOfFile(store), true);
      assert.deepEqual(seen.map(askerOf), ['own', 'sdk', 'sdk']);
      assert.deepEqual(told, ['more bytes than were announced']);
    });
  });
});

test('a listing in chunks is plain; one that is odd leaves listings to the SDK, and ranges as they are', async () => {
  const script: Script = (seen, response) => {
    if (!seen.url.includes('list-type')) return well(response, 0);
    if (askerOf(seen) === 'own' && seen.url.includes('odd')) return void response.writeHead(307).end();
    answerPage(response, seen.url.includes('odd') ? 'models/odd' : 'models/k');
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withStore({ endpoint }, async (store, told) => {
      assert.deepEqual(await listed(store, 'k'), ['k']);
      assert.deepEqual(told, []);
      assert.deepEqual(await listed(store, 'odd'), ['odd']);
      assert.deepEqual(await listed(store, 'odd'), ['odd']);
      assert.equal(await outcomeOfFile(store), true);
      assert.deepEqual(seen.map(askerOf), ['own', 'own', 'sdk', 'sdk', 'own']);
      assert.deepEqual(told, ['status 307']);
    });
  });
});

test('a connection that was kept, and closed in the meantime, is nothing that anybody notices', async () => {
  const script: Script = (seen, response) => {
    if (!seen.url.includes('list-type')) well(response, 0);
    else answerPage(response, 'models/k');
    response.on('finish', () => setTimeout(() => response.socket?.destroy(), 5));
  };
  await withServer(script, async ({ endpoint }) => {
    await withStore({ endpoint }, async (store, told) => {
      for (let round = 0; round < 8; round += 1) {
        assert.equal(await outcomeOfFile(store), true);
        assert.deepEqual(await listed(store, ''), ['k']);
      }
      assert.deepEqual(told, []);
    });
  });
});

for (const [name, addressOf] of [
  ['an address', (endpoint) => endpoint],
  ['a host and a port', (endpoint) => endpoint.replace('http://', '')],
  ['a host and a port behind slashes', (endpoint) => endpoint.replace('http:', '')],
] as const satisfies readonly (readonly [string, (endpoint: string) => string])[])
  test(`where a proxy must be gone through, every request goes through it, by the SDK: ${name}`, async () => {
    const store = await startServer((seen, response) =>
      seen.url.includes('list-type') ? answerPage(response, 'models/k') : well(response, 0),
    );
    const proxy = await startForwardProxy(store.endpoint);
    try {
      const raw = new RawSettings({}, { http_proxy: addressOf(proxy.endpoint) }, true);
      const settings = {
        endpoint: 'http://behind-the-proxy.invalid:9000',
        proxies: proxiesOf(raw),
        onlySdk: 'HTTP_PROXY is set',
      };
      await withStore(settings, async (behind, told) => {
        assert.deepEqual(await listed(behind, ''), ['k']);
        assert.equal(await outcomeOfFile(behind), true);
        assert.deepEqual(told, ['HTTP_PROXY is set']);
      });
      assert.deepEqual(store.seen.map(askerOf), ['sdk', 'sdk']);
      assert.equal(proxy.asked.length, 2);
      assert.ok(proxy.asked.every((url) => url.startsWith('http://behind-the-proxy.invalid:9000/bucket')));
    } finally {
      await proxy.stop();
      await store.stop();
    }
  });

test('an address that only the SDK knows is told of when the store is opened, and nothing is sent for that', async () => {
  await withServer(
    (_, response) => well(response, 0),
    async ({ endpoint, seen }) => {
      await withStore({ endpoint: `${endpoint}/below` }, async (store, told) => {
        assert.deepEqual([told, seen], [['the address of the bucket'], []]);
        assert.equal(await outcomeOfFile(store), true);
        assert.deepEqual(seen.map(askerOf), ['sdk']);
        assert.equal(told.length, 1);
      });
    },
  );
});

function askerOf({ headers }: Seen): 'own' | 'sdk' {
  return String(headers['user-agent']).includes('aws-sdk') ? 'sdk' : 'own';
}

async function withStore(
  settings: Partial<S3Settings>,
  work: (store: S3Store, told: readonly string[]) => Promise<void>,
): Promise<void> {
  const told: string[] = [];
  const store = await S3Store.open(s3Settings(settings), { onOnlySdk: (why) => told.push(why) });
  try {
    await work(store, told);
  } finally {
    store.close();
  }
}

/** Of a small object: whether it is there, and right, or the code of the error, after which nothing is. */
async function outcomeOfFile(store: S3Store): Promise<true | string> {
  const path = freshPath();
  const made: MadeFile[] = [];
  try {
    await soon(store.ranges.fetchFiles(filesOrder([path], made)));
  } catch (error) {
    assert.equal(existsSync(path), false);
    return (error as { code: string }).code;
  }
  const [{ etag, digests } = assert.fail('not told')] = made;
  assert.deepEqual([etag, digests], ['"e"', { sha256: sha256(BODY) }]);
  assert.equal(readFileSync(path, 'utf8'), BODY);
  return true;
}

function filesOrder(paths: readonly string[], made: MadeFile[]): FilesOrder {
  return {
    ...ORDER,
    files: paths.map((path, index) => ({
      key: `k-${index + 1}`,
      size: 10,
      path,
      mode: 0o600,
      algorithms: ['sha256'],
    })),
    onMade: (file) => made.push(file),
  };
}

/** Of all of an object as a range: whether it is there, and right, or the code of the error. */
async function outcomeOfRange(store: S3Store): Promise<true | string> {
  const path = freshPath();
  await using file = await open(path, 'w+');
  const into = { fd: file.fd, arrival: Arrival.of(10).memory };
  const etags: string[] = [];
  try {
    await soon(
      store.ranges.fetch({
        ...ORDER,
        key: 'k',
        range: { start: 0, end: 10 },
        size: 10,
        etag: undefined,
        into,
        onBegun: (etag) => etags.push(etag),
        onCut: () => undefined,
      }),
    );
  } catch (error) {
    return (error as { code: string }).code;
  }
  assert.deepEqual([etags, readFileSync(path, 'utf8')], [['"e"'], BODY]);
  return true;
}
