import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { explain, toModelCacheError } from '../../src/errors.ts';
import { drain, listed, MiB, soon } from '../store/bodies.ts';
import { withS3Store } from '../store/s3-settings.ts';
import { answerXml, withServer, type Script } from '../store/scripted-s3.ts';

const REPO = 'models/hub/models--org--model';

describe('a page of a listing', () => {
  const rows: readonly { name: string; xml: () => string }[] = [
    {
      name: 'of 20 MiB in one key',
      xml: () => page(`<Contents><Key>${'k'.repeat(20 * MiB)}</Key></Contents>`),
    },
    { name: 'that is cut off', xml: () => page('<Contents><Key>a</Key>').slice(0, -30) },
    { name: 'whose tags are crossed', xml: () => page('<Contents><Key>a</Contents>') },
    { name: 'with a million tags in each other', xml: () => page('<a>'.repeat(MiB)) },
    { name: 'that is a page to sign in at', xml: () => '<html><body>please<br>sign in</body></html>' },
    { name: 'that is empty', xml: () => '' },
  ];
  for (const { name, xml } of rows) {
    test(`${name} is an error of the store, in a few words`, async () => {
      const answer = xml();
      const error = await errorOfListing((_, response) => answerXml(response, answer));
      assert.equal(error.code, 'store-failed');
      assert.ok(explain(error).length < 500, explain(error));
      assert.doesNotMatch(explain(error), /hidden field|Deserialization/);
    });
  }

  test('with entities in entities has the keys that it names, and no others', async () => {
    const xml = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>${page(entry(`${REPO}/&b;`))}`;
    const keys = await keysOf((_, response) => answerXml(response, xml));
    assert.ok(keys.every((key) => key.length < 100));
  });
});

describe('keys of a listing', () => {
  test('are asked for in a form that holds every character, and taken back from it', async () => {
    const script: Script = ({ url }, response) => {
      assert.match(url, /encoding-type=url/);
      answerXml(
        response,
        page(
          `<EncodingType>url</EncodingType>${['a+b', 'a%2Bb', 'a%00b', '%C3%BC', '100%25'].map(entryOf).join('')}`,
        ),
      );
    };
    assert.deepEqual(await keysOf(script), ['100%', 'a\0b', 'a b', 'a+b', 'ü']);
  });

  test('that are no UTF-8 are nobody’s', async () => {
    const xml = page(`<EncodingType>url</EncodingType>${['%FF', '%C3', '%', 'good'].map(entryOf).join('')}`);
    assert.deepEqual(await keysOf((_, response) => answerXml(response, xml)), ['good']);
  });

  test('are taken as they are where the store heeds no encoding', async () => {
    const xml = page(['100%25', 'a+b'].map(entryOf).join(''));
    assert.deepEqual(await keysOf((_, response) => answerXml(response, xml)), ['100%25', 'a+b']);
  });

  test('that were not asked for, and sizes that are none, are left out', async () => {
    const entries = [
      entry('models-of-others/x'),
      entry('../models/x'),
      entry('models/negative', '-1'),
      entry('models/too-many', '9007199254740993'),
      entry('models/half', '0.5'),
      '<Contents><Key>models/without-size</Key></Contents>',
      '<Contents><Size>1</Size></Contents>',
      '<Contents></Contents>',
      entry('models/folder/', '0'),
      entry('models/good'),
    ];
    assert.deepEqual(await keysOf((_, response) => answerXml(response, page(entries.join('')))), ['good']);
  });

  function entryOf(key: string): string {
    return entry(`models/${key}`);
  }
});

describe('an answer that drips, byte by byte, is given up', () => {
  const scripts: readonly (readonly [name: string, status: number])[] = [
    ['a page of a listing', 200],
    ['an error', 403],
  ];
  for (const [name, status] of scripts) {
    test(name, async () => {
      const error = await errorOfListing((_, response) => drip(response, status), 500);
      assert.equal(error.code, 'store-stalled');
      assert.doesNotMatch(explain(error), /hidden field/);
    });
  }
});

test('an error that goes on for ever is given up, though it was asked for an object', async () => {
  const flood: Script = (_, response) => {
    response.writeHead(403, { 'content-type': 'application/xml' });
    const more = (): void => {
      while (!response.destroyed && response.write('<Error>'.repeat(10_000)));
    };
    response.on('drain', more);
    more();
  };
  await withServer(flood, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(store.get('k')), { code: 'store-failed', message: /longer answer/ });
    });
  });
});

test('what is asked for after such answers is answered as ever', async () => {
  const script: Script = ({ url }, response) => {
    if (url.includes('list-type')) answerXml(response, page('x'.repeat(9 * MiB)));
    else {
      response.writeHead(200, { etag: '"e"', 'content-length': 2 });
      response.end('ok');
    }
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      await assert.rejects(soon(listed(store, '')), { code: 'store-failed' });
      assert.equal(String(await soon(drain(await store.get('k')))), 'ok');
    });
  });
});

async function keysOf(script: Script): Promise<readonly string[]> {
  return withServer(script, ({ endpoint }) => withS3Store({ endpoint }, (store) => soon(listed(store, ''))));
}

async function errorOfListing(
  script: Script,
  idleTimeout = 10_000,
): Promise<ReturnType<typeof toModelCacheError>> {
  return withServer(script, ({ endpoint }) =>
    withS3Store({ endpoint, idleTimeout }, async (store) => {
      try {
        await soon(listed(store, ''));
      } catch (error) {
        return toModelCacheError(error);
      }
      throw new assert.AssertionError({ message: 'it was listed' });
    }),
  );
}

function page(inner: string): string {
  return `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>${inner}</ListBucketResult>`;
}

function entry(key: string, size = '1'): string {
  return `<Contents><Key>${key}</Key><Size>${size}</Size><ETag>"e"</ETag></Contents>`;
}

function drip(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  const timer = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(timer));
}
