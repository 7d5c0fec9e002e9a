import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { explain, ModelCacheError } from '../../src/errors.ts';
import { S3Store } from '../../src/store/s3-store.ts';
import { readSmall } from '../../src/store/store.ts';
import { drain, listed, soon } from './bodies.ts';
import { until } from './multiparts-conformance.ts';
import { answerError, answerPage, withServer, type Script } from './scripted-s3.ts';
import { s3Settings, withS3Store } from './s3-settings.ts';

test('a continuation token that comes twice ends the listing with an error, not a loop', async () => {
  const script: Script = (_, response, count) => answerPage(response, `models/k${count}`, 'again');
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(listed(store, '')), { code: 'store-failed', message: /continuation token/ });
    });
    assert.equal(seen.length, 2);
  });
});

test('a page that says there is more but not where is the last one', async () => {
  const script: Script = (_, response) => answerPage(response, 'models/k', '');
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      const outcome = await soon(listed(store, '')).catch(
        (error: unknown) => (error as ModelCacheError).code,
      );
      assert.ok(outcome === 'store-failed' || Array.isArray(outcome), String(outcome));
    });
  });
});

test('a body that stalls is given up with store-stalled', async () => {
  const script: Script = (_, response) => startBody(response, 100, 'only the beginning');
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint, idleTimeout: 300 }, async (store) => {
      await assert.rejects(soon(store.get('k').then(drain)), {
        code: 'store-stalled',
        message: /\bk\b/,
        hint: /--stall/,
      });
    });
  });
});

test('a range that says nothing is given up long before the store is, whether its answer began or not', async () => {
  const beginnings = [
    (): void => undefined,
    (response: ServerResponse): void => {
      response.writeHead(206, { etag: '"e"', 'content-range': 'bytes 0-9/100', 'content-length': 10 });
      response.write('01234');
    },
  ];
  for (const begin of beginnings) {
    await withServer(
      (_, response) => begin(response),
      async ({ endpoint, seen }) => {
        await withS3Store({ endpoint, idleTimeout: 6000 }, async (store) => {
          const range = { start: 0, end: 10 };
          const reading = store.get('k', { range }).then(drain);
          await assert.rejects(soon(reading), { code: 'store-stalled', message: /came for 2 s/ });
        });
        assert.equal(seen.length, 1);
      },
    );
  }
});

test('an answer that never begins is given up too', async () => {
  await withServer(
    () => undefined,
    async ({ endpoint }) => {
      await withS3Store({ endpoint, idleTimeout: 300 }, async (store) => {
        await assert.rejects(soon(store.get('k')), { code: /^store-(unreachable|stalled)$/ });
      });
    },
  );
});

test('an idle timeout of 0 means never: a body may pause', async () => {
  const script: Script = (_, response) => {
    startBody(response, 6, 'abc');
    setTimeout(() => response.end('def'), 200);
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint, idleTimeout: 0 }, async (store) => {
      assert.equal(String(await soon(drain(await store.get('k')))), 'abcdef');
    });
  });
});

test('an idle timeout of months is one, and not a millisecond', async () => {
  const script: Script = (_, response) => {
    startBody(response, 6, 'abc');
    setTimeout(() => response.end('def'), 200);
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint, idleTimeout: 30 * 24 * 3600 * 1000 }, async (store) => {
      assert.equal(String(await soon(drain(await store.get('k')))), 'abcdef');
    });
  });
});

test('a connection that ends in the middle of a body is an error of the store', async () => {
  const script: Script = (_, response) => {
    startBody(response, 100, 'only the beginning');
    setTimeout(() => response.destroy(), 20);
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(drain(await store.get('k'))), { code: 'store-unreachable' });
    });
  });
});

test('a body without a length that ends too early is short, whatever the server meant', async () => {
  const script: Script = (_, response) => {
    response.writeHead(206, { etag: '"e"', 'content-range': 'bytes 0-9/100' });
    response.end('short');
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      const body = await store.get('k', { range: { start: 0, end: 10 } });
      await assert.rejects(soon(drain(body)), { code: 'store-unreachable', found: '5 bytes' });
    });
  });
});

test('a whole object that comes in chunks, without a length, is taken as it comes', async () => {
  const script: Script = (_, response) => {
    response.writeHead(200, { etag: '"e"' });
    response.write('in ');
    response.end('chunks');
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      const body = await store.get('k');
      assert.equal(String(await readSmall(body, 100)), 'in chunks');
      await assert.rejects(readSmall(await store.get('k'), 8), { code: 'object-size-differs' });
    });
  });
});

test('an object that comes slowly is asked for once; one of which nothing comes, once more beside', async () => {
  const keys: string[] = [];
  const script: Script = ({ url }, response) => {
    const key = /[a-z]+(?=\?|$)/.exec(url.split('?')[0] ?? '')?.[0] ?? '';
    keys.push(key);
    if (key === 'silent' && keys.filter((other) => other === key).length === 1) return;
    response.writeHead(200, { etag: '"e"', 'content-length': 5 });
    if (key === 'silent') response.end('bytes');
    else Array.from('bytes', (byte, index) => setTimeout(() => response.write(byte), index * 550));
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint, idleTimeout: 2000 }, async (store) => {
      for (const key of ['slow', 'silent']) {
        const body = await soon(store.get(key));
        assert.equal(String(await readSmall(body, 100)), 'bytes');
      }
      assert.deepEqual(keys, ['slow', 'silent', 'silent']);
    });
  });
});

for (const method of ['HEAD', 'PUT'] as const) {
  test(`a ${method} of which nothing comes is asked once more beside`, async () => {
    const script: Script = (_, response, count) => {
      if (count > 1)
        response.writeHead(200, { etag: '"e"', 'content-length': method === 'HEAD' ? 5 : 0 }).end();
    };
    await withServer(script, async ({ endpoint, seen }) => {
      await withS3Store({ endpoint, idleTimeout: 2000 }, async (store) => {
        if (method === 'PUT') await soon(store.put('k', Buffer.from('bytes')));
        else assert.equal((await soon(store.head('k')))?.size, 5);
      });
      assert.deepEqual(
        seen.map((request) => request.method),
        [method, method],
      );
    });
  });
}

for (const status of [408, 429, 500, 503]) {
  test(`${status} to a listing, once, leaves the next one as it was`, async () => {
    const told: string[] = [];
    const script: Script = (_, response, count) => {
      if (count === 1) return void response.writeHead(status, { 'content-length': 0 }).end();
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
    };
    await withServer(script, async ({ endpoint }) => {
      const store = await S3Store.open(s3Settings({ endpoint }), { onOnlySdk: (why) => void told.push(why) });
      assert.deepEqual(await soon(Array.fromAsync(store.list(''))), []);
      store.close();
    });
    assert.deepEqual(told, []);
  });
}

test('a server that ignores the range is refused before a byte is taken for another', async () => {
  const script: Script = (_, response) => {
    response.writeHead(200, { etag: '"e"', 'content-length': 10 });
    response.end('0123456789');
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      const range = { start: 5, end: 10 };
      await assert.rejects(store.get('k', { range }), { code: 'store-failed', wanted: 'bytes 5-9' });
      const whole = await store.get('k', { range: { start: 0, end: 10 } });
      assert.equal(String(await drain(whole)), '0123456789');
    });
  });
});

test('a server that answers with a neighbouring range is refused', async () => {
  const script: Script = (_, response) => {
    response.writeHead(206, { 'content-range': 'bytes 4-8/10', 'content-length': 5 });
    response.end('45678');
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(store.get('k', { range: { start: 5, end: 10 } }), { code: 'store-failed' });
    });
  });
});

test('a get on a new connection does not take one of the pool, and leaves none there', async () => {
  const script: Script = (_, response) => startBody(response, 3, 'abc', true);
  await withServer(script, async ({ endpoint, connections }) => {
    await withS3Store({ endpoint }, async (store) => {
      const content = async (onNewConnection: boolean): Promise<string> =>
        String(await soon(drain(await store.get('k', { onNewConnection }))));
      for (let round = 0; round < 3; round += 1) assert.equal(await content(false), 'abc');
      assert.equal(connections.size, 1);
      for (let round = 0; round < 3; round += 1) assert.equal(await content(true), 'abc');
      assert.equal(connections.size, 4);
      assert.equal(await content(false), 'abc');
      assert.equal(connections.size, 4);
    });
  });
});

test('to close a store closes the connections outside of the pool too', async () => {
  const script: Script = (_, response) => startBody(response, 100, 'only the beginning');
  await withServer(script, async ({ endpoint, connections }) => {
    await withS3Store({ endpoint }, async (store) => {
      await store.get('k', { onNewConnection: true });
    });
    await soon(until(() => [...connections].every(({ destroyed }) => destroyed)));
  });
});

for (const [status, name, code] of [
  [503, 'SlowDown', 'store-throttled'],
  [500, 'InternalError', 'store-failed'],
  [403, 'RequestTimeTooSkewed', 'store-clock-skewed'],
  [403, 'AccessDenied', 'store-denied'],
  [404, 'NoSuchBucket', 'store-bucket-missing'],
] as const) {
  test(`a store that always answers ${status} ${name}: ${code}`, async () => {
    const script: Script = (_, response) => answerError(response, status, name);
    await withServer(script, async ({ endpoint }) => {
      await withS3Store({ endpoint }, async (store) => {
        await assert.rejects(soon(listed(store, '')), { code });
        await assert.rejects(soon(store.get('k')), { code });
      });
    });
  });
}

test('a bad moment is over after another try', async () => {
  const script: Script = (_, response, count) =>
    count < 3 ? answerError(response, 503, 'SlowDown') : answerPage(response, 'models/k');
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      assert.deepEqual(await soon(listed(store, '')), ['k']);
    });
  });
});

for (const [title, type, page] of [
  ['a page for people', 'text/html', '<html><body>Welcome to nginx!</body></html>'],
  ['nothing at all', 'application/xml', ''],
  ['half an answer', 'application/xml', '<?xml version="1.0"?><ListBucketResult><Contents><Key>models/'],
] as const) {
  test(`a server that is no S3 and answers with ${title} is an error of the store in one line, or an empty listing`, async () => {
    const script: Script = (_, response) => response.writeHead(200, { 'content-type': type }).end(page);
    await withServer(script, async ({ endpoint }) => {
      await withS3Store({ endpoint }, async (store) => {
        const outcome = await soon(listed(store, '')).catch((error: unknown) => error);
        if (Array.isArray(outcome)) return assert.deepEqual(outcome, []);
        assert.ok(outcome instanceof ModelCacheError && outcome.code.startsWith('store-'), String(outcome));
        assert.doesNotMatch(explain(outcome), /\n/);
      });
    });
  });
}

/** The headers and the first bytes of a body that has `length` of them. */
function startBody(response: ServerResponse, length: number, beginning: string, isAll = false): void {
  response.writeHead(200, { etag: '"e"', 'content-length': length });
  response.write(beginning);
  if (isAll) response.end();
}
