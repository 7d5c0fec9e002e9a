import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { soon } from './bodies.ts';
import { answerError, answerXml, withServer, type Script, type Seen } from './scripted-s3.ts';
import { withS3Store } from './s3-settings.ts';

const UPLOAD = { key: 'k', id: 'u1', initiated: 0 };
const PART = { number: 1, size: 1, etag: 'e', modified: 0 };
const DONE =
  '<CompleteMultipartUploadResult><Key>${DATA_KEY}</Key><ETag>"e-1"</ETag></CompleteMultipartUploadResult>';
const HOUR = 3_600_000;
const NOW = Date.parse('2026-05-06T12:00:00Z');

test('a completion names exactly its parts, sorted', async () => {
  await withServer(
    (_, response) => answerXml(response, DONE),
    async ({ endpoint, seen }) => {
      await withS3Store({ endpoint }, ({ multiparts }) =>
        multiparts.complete(UPLOAD, [
          { ...PART, number: 10, etag: 'ten' },
          { ...PART, number: 2, etag: 'two' },
        ]),
      );
      const named = [...String(seen[0]?.body).matchAll(/<Part>(.*?)<\/Part>/g)].map(([, part = '']) => part);
      assert.equal(named.length, 2);
      assert.match(named[0] ?? '', /<ETag>two<\/ETag>/);
      assert.match(named[0] ?? '', /<PartNumber>2<\/PartNumber>/);
      assert.match(named[1] ?? '', /<PartNumber>10<\/PartNumber>/);
    },
  );
});

for (const [name, code] of [
  ['InvalidPart', 'object-part-invalid'],
  ['NoSuchUpload', 'object-upload-gone'],
  ['InternalError', 'store-failed'],
] as const) {
  for (const [where, end] of [
    ['', ''],
    [' and a line end behind it', '\n'],
  ] as const) {
    test(`a completion that is answered 200 with ${name} in the body${where} has failed`, async () => {
      const xml = `<Error><Code>${name}</Code><Message>said so</Message></Error>${end}`;
      await withServer(
        (_, response) => answerXml(response, xml),
        async ({ endpoint }) => {
          await withS3Store({ endpoint }, async ({ multiparts }) => {
            await assert.rejects(soon(multiparts.complete(UPLOAD, [PART])), { code });
          });
        },
      );
    });
  }
}

test('a completion that failed inside of a 200 and is answered well the next time is one', async () => {
  const script: Script = (_, response, count) =>
    answerXml(response, count === 1 ? '<Error><Code>InternalError</Code></Error>' : DONE);
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, ({ multiparts }) => soon(multiparts.complete(UPLOAD, [PART])));
    assert.equal(seen.length, 2);
  });
});

for (const [what, answer] of [
  ['nothing', ''],
  ['spaces', '   \n  '],
  ['a page for people', '<html><body>Welcome to nginx!</body></html>'],
  ['half an answer', '<?xml version="1.0"?><CompleteMultipartUploadResult><Key>'],
] as const) {
  test(`a completion that is answered 200 with ${what} has failed`, async () => {
    await withServer(
      (_, response) => void response.writeHead(200).end(answer),
      async ({ endpoint }) => {
        await withS3Store({ endpoint }, async ({ multiparts }) => {
          await assert.rejects(soon(multiparts.complete(UPLOAD, [PART])), { code: /^store-/ });
        });
      },
    );
  });
}

for (const [where, before, after] of [
  ['after the declaration', '<?xml version="1.0" encoding="UTF-8"?>\n', ''],
  ['before everything', '', '<?xml version="1.0" encoding="UTF-8"?>\n'],
] as const) {
  test(`spaces ${where} keep a long completion alive`, async () => {
    await withServer(
      (_, response) => slowly(response, before, `${after}${DONE}`),
      async ({ endpoint, seen }) => {
        let signs = 0;
        await withS3Store({ endpoint, idleTimeout: 200 }, ({ multiparts }) =>
          soon(multiparts.complete(UPLOAD, [PART], undefined, () => (signs += 1))),
        );
        assert.equal(seen.length, 1);
        assert.ok(signs > 10, `${signs} signs`);
      },
    );
  });
}

test('a completion whose answer was lost, and that was one, is object-upload-gone', async () => {
  const script: Script = (_, response, count) =>
    count === 1 ? void response.destroy() : answerError(response, 404, 'NoSuchUpload');
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      await assert.rejects(soon(multiparts.complete(UPLOAD, [PART])), { code: 'object-upload-gone' });
    });
    assert.equal(seen.length, 2);
  });
});

for (const [status, name] of [
  [501, 'NotImplemented'],
  [405, 'MethodNotAllowed'],
] as const) {
  test(`a store that knows no uploads in parts (${name}) says so, and nothing is abandoned`, async () => {
    await withServer(
      (_, response) => answerError(response, status, name),
      async ({ endpoint }) => {
        await withS3Store({ endpoint }, async (store) => {
          const unsupported = { code: 'store-unsupported' };
          await assert.rejects(soon(store.multiparts.list('k')), unsupported);
          await assert.rejects(soon(store.multiparts.create('k')), unsupported);
          assert.equal(await soon(store.abandonUploads(NOW)), 0);
        });
      },
    );
  });
}

test('a bad moment is over after another try', async () => {
  const script: Script = (_, response, count) =>
    count < 3 ? answerError(response, 503, 'SlowDown') : void response.writeHead(204).end();
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, ({ multiparts }) => soon(multiparts.abort(UPLOAD)));
    assert.equal(seen.length, 3);
  });
});

test('an upload began when the store says, not when this machine does', async () => {
  const date = 'Wed, 06 May 2026 12:00:00 GMT';
  const xml =
    '<InitiateMultipartUploadResult><UploadId>u1</UploadId><Key>${DATA_KEY}</Key></InitiateMultipartUploadResult>';
  const script: Script = (_, response) => {
    response.setHeader('date', date);
    answerXml(response, xml);
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      assert.deepEqual(await multiparts.create('k'), { key: 'k', id: 'u1', initiated: NOW });
    });
  });
});

test('an upload without an id is none', async () => {
  const script: Script = (_, response) =>
    answerXml(response, '<InitiateMultipartUploadResult></InitiateMultipartUploadResult>');
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      await assert.rejects(multiparts.create('k'), { code: 'store-failed' });
    });
  });
});

test('a part that is taken without an ETag is none', async () => {
  await withServer(
    (_, response) => void response.writeHead(200).end(),
    async ({ endpoint }) => {
      await withS3Store({ endpoint }, async ({ multiparts }) => {
        const part = { number: 1, size: 0, md5: '00'.repeat(16), chunks: nothing };
        await assert.rejects(soon(multiparts.putPart(UPLOAD, part)), { code: 'store-failed' });
      });
    },
  );
});

test('uploads are listed page after page, and only those of the key', async () => {
  const script: Script = ({ url }, response) => {
    const query = queryOf(url);
    assert.equal(query.get('prefix'), 'models/k');
    if (query.get('key-marker') === null)
      return answerUploads(response, [upload('models/k', 'u1')], ['models/k', 'u1']);
    assert.equal(query.get('key-marker'), 'models/k');
    if (query.get('upload-id-marker') === 'u1')
      return answerUploads(response, [upload('models/k', 'u2')], ['models/k', 'u2']);
    return answerUploads(response, [upload('models/k2', 'u3')]);
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      assert.deepEqual(await multiparts.list('k'), [
        { key: 'k', id: 'u1', initiated: NOW },
        { key: 'k', id: 'u2', initiated: NOW },
      ]);
    });
  });
});

test('a marker that comes twice ends either listing with an error, not a loop', async () => {
  const script: Script = ({ url }, response) =>
    url.includes('uploadId=')
      ? answerParts(response, [], '7')
      : answerUploads(response, [upload(DATA_KEY, 'u1')], ['models/k', 'u1']);
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      const endless = { code: 'store-failed', message: /token twice/ };
      await assert.rejects(soon(multiparts.list('k')), endless);
      assert.equal(seen.length, 2);
      await assert.rejects(soon(multiparts.parts(UPLOAD)), endless);
      assert.equal(seen.length, 4);
    });
  });
});

test('parts are listed page after page', async () => {
  const script: Script = ({ url }, response) => {
    const marker = Number(queryOf(url).get('part-number-marker') ?? 0);
    const numbers = Array.from({ length: 1000 }, (_, index) => marker + index + 1);
    const parts = numbers.filter((number) => number <= 2500).map((number) => part(number, NOW));
    return answerParts(response, parts, marker < 2000 ? String(marker + 1000) : undefined);
  };
  await withServer(script, async ({ endpoint, seen }) => {
    await withS3Store({ endpoint }, async ({ multiparts }) => {
      const parts = await multiparts.parts(UPLOAD);
      assert.equal(parts.length, 2500);
      assert.deepEqual(parts.at(-1), { number: 2500, size: 7, etag: 'e2500', modified: NOW });
    });
    assert.equal(seen.length, 3);
  });
});

/** As this program names what it uploads. */
const DATA_KEY = 'models/.model-cache/v1/data/k';

for (const [prefix, listed, others] of [
  ['models', 'models/', ['models2/.model-cache/v1/data/old', 'model', 'models', 'models/film.mkv']],
  ['', '', ['film.mkv', 'blobs/x', `hub/models--a--b/blobs/no-digest`]],
] as const) {
  test(`with the prefix '${prefix}', only uploads that nobody adds to are abandoned`, async () => {
    const own = (key: string): string => `${listed}.model-cache/v1/data/${key}`;
    const before = NOW;
    const began = (key: string, initiated: number): string => upload(own(key), `id-${key}`, initiated);
    const pages = [
      [
        began('empty', before - 1),
        began('young', before),
        ...others.map((key) => upload(key, 'other', before - HOUR)),
      ],
      [
        began('left', before - HOUR),
        began('alive', before - HOUR),
        began('gone', before - HOUR),
        began('faster', before - HOUR),
      ],
    ];
    const script: Script = ({ method, url }, response) => {
      const query = queryOf(url);
      const id = query.get('uploadId');
      if (id === null) {
        assert.equal(query.get('prefix') ?? '', listed);
        const isFirst = query.get('key-marker') === null;
        return answerUploads(response, pages[isFirst ? 0 : 1] ?? [], isFirst ? ['m', 'm'] : undefined);
      }
      if (method === 'DELETE' && id === 'id-faster') return answerError(response, 404, 'NoSuchUpload');
      if (method === 'DELETE') return void response.writeHead(204).end();
      if (id === 'id-gone') return answerError(response, 404, 'NoSuchUpload');
      if (id === 'id-alive') return answerParts(response, [part(1, before - HOUR), part(2, before)]);
      if (id === 'id-left') return answerParts(response, [part(1, before - HOUR), part(2, before - 1)]);
      return answerParts(response, []);
    };
    await withServer(script, async ({ endpoint, seen }) => {
      await withS3Store({ endpoint, prefix }, async (store) => {
        await store.abandonUploads(before);
      });
      assert.deepEqual(abandoned(seen), ['id-empty', 'id-left', 'id-faster']);
    });
  });
}

test('how many were abandoned is told', async () => {
  const script: Script = ({ method, url }, response) => {
    if (method === 'DELETE') return void response.writeHead(204).end();
    if (queryOf(url).has('uploadId')) return answerParts(response, []);
    return answerUploads(
      response,
      ['u1', 'u2', 'u3'].map((id) => upload(DATA_KEY, id)),
    );
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      assert.equal(await store.abandonUploads(NOW), 0);
      assert.equal(await store.abandonUploads(NOW + 1), 3);
    });
  });
});

for (const denied of ['the listing', 'the parts', 'to abort'] as const) {
  test(`a key without the right to ${denied} abandons nothing, and nothing fails`, async () => {
    const script: Script = ({ method, url }, response) => {
      const isParts = method === 'GET' && queryOf(url).has('uploadId');
      const what = method === 'DELETE' ? 'to abort' : isParts ? 'the parts' : 'the listing';
      if (what === denied) return answerError(response, 403, 'AccessDenied');
      if (isParts) return answerParts(response, []);
      return answerUploads(response, [upload(DATA_KEY, 'u1')]);
    };
    await withServer(script, async ({ endpoint }) => {
      await withS3Store({ endpoint }, async (store) => {
        assert.equal(await store.abandonUploads(NOW + 1), 0);
      });
    });
  });
}

test('a part that is still being written, as MinIO lists it, is not there yet', async () => {
  const placeholder =
    '<Part><PartNumber>2</PartNumber><LastModified>0001-01-01T00:00:00.000Z</LastModified><ETag>""</ETag><Size>0</Size></Part>';
  const script: Script = (_request, response) => answerParts(response, [part(1, NOW), placeholder]);
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      const parts = await store.multiparts.parts({ key: 'k', id: 'u', initiated: NOW });
      assert.deepEqual(
        parts.map(({ number }) => number),
        [1],
      );
    });
  });
});

test('an upload or a part without a time is not taken for old', async () => {
  const script: Script = ({ method, url }, response) => {
    if (method === 'DELETE') return void response.writeHead(204).end();
    if (queryOf(url).has('uploadId'))
      return answerParts(response, ['<Part><PartNumber>1</PartNumber><Size>1</Size></Part>']);
    return answerUploads(response, [
      `<Upload><Key>${DATA_KEY}</Key><UploadId>u1</UploadId></Upload>`,
      upload(DATA_KEY, 'u2'),
    ]);
  };
  await withServer(script, async ({ endpoint }) => {
    await withS3Store({ endpoint }, async (store) => {
      assert.equal(await store.abandonUploads(Math.min(NOW + 1, Date.now() - HOUR)), 0);
    });
  });
});

async function* nothing(): AsyncGenerator<Buffer> {
  // Has no byte.
}

function slowly(response: ServerResponse, beginning: string, end: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.write(beginning);
  let spaces = 0;
  const timer = setInterval(() => {
    if (response.destroyed) return clearInterval(timer);
    if ((spaces += 1) < 30) return void response.write(' ');
    clearInterval(timer);
    response.end(end);
  }, 60);
}

function abandoned(seen: readonly Seen[]): readonly (string | null)[] {
  return seen.filter(({ method }) => method === 'DELETE').map(({ url }) => queryOf(url).get('uploadId'));
}

function queryOf(url: string): URLSearchParams {
  return new URL(url, 'http://host').searchParams;
}

function upload(key: string, id: string, initiated = NOW): string {
  const time = new Date(initiated).toISOString();
  return `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${time}</Initiated></Upload>`;
}

function part(number: number, modified: number): string {
  const time = new Date(modified).toISOString();
  return `<Part><PartNumber>${number}</PartNumber><Size>7</Size><ETag>"e${number}"</ETag><LastModified>${time}</LastModified></Part>`;
}

function answerUploads(
  response: ServerResponse,
  uploads: readonly string[],
  next?: readonly [string, string],
): void {
  const more =
    next === undefined
      ? '<IsTruncated>false</IsTruncated>'
      : `<IsTruncated>true</IsTruncated><NextKeyMarker>${next[0]}</NextKeyMarker><NextUploadIdMarker>${next[1]}</NextUploadIdMarker>`;
  answerXml(response, `<ListMultipartUploadsResult>${more}${uploads.join('')}</ListMultipartUploadsResult>`);
}

function answerParts(response: ServerResponse, parts: readonly string[], next?: string): void {
  const more =
    next === undefined
      ? '<IsTruncated>false</IsTruncated>'
      : `<IsTruncated>true</IsTruncated><NextPartNumberMarker>${next}</NextPartNumberMarker>`;
  answerXml(response, `<ListPartsResult>${more}${parts.join('')}</ListPartsResult>`);
}
