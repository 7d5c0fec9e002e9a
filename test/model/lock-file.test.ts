import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { explain } from '../../src/errors.ts';
import { formatLock, parseLock, type Lock } from '../../src/model/lock-file.ts';
import { EVERYTHING, random, REPO, selection, sha256, shuffled, TORCH } from './builders.ts';

const HEADER =
  '# model-cache lock, version 1: `model-cache init --locked FILE` restores this, and nothing else\n';
const ONE = `manifest ${sha256('one')} ${REPO}\n`;
const LOCK: Lock = {
  selection: selection(['org/model@main:*.bin', 'a/b'], ['*.md', 'x/y/z']),
  also: ['engines', 'ckpts/fine'],
  manifests: [
    { tree: REPO, name: sha256('two') },
    { tree: TORCH, name: sha256('three') },
    { tree: REPO, name: sha256('one') },
    { tree: 'engines', name: sha256('one') },
  ],
};

describe('a lock file', () => {
  test('is a header, the selection and the manifests by tree, a line each', () => {
    const names = ['two', 'one'].map((content) => sha256(content)).toSorted();
    assert.equal(
      formatLock(LOCK),
      `${HEADER}model a/b\nmodel org/model@main:*.bin\nexclude *.md\nexclude x/y/z\nalso ckpts/fine\nalso engines\n` +
        `manifest ${sha256('one')} engines\n` +
        names.map((name) => `manifest ${name} ${REPO}\n`).join('') +
        `manifest ${sha256('three')} ${TORCH}\n`,
    );
  });

  test('is the same bytes, whatever order its parts come in, and however often', () => {
    const next = random(7);
    for (let round = 0; round < 20; round += 1) {
      const { models, exclude } = LOCK.selection;
      const other: Lock = {
        selection: { models: shuffled([...models, ...models], next), exclude: shuffled(exclude, next) },
        also: shuffled(LOCK.also, next),
        manifests: shuffled([...LOCK.manifests, ...LOCK.manifests], next),
      };
      assert.equal(formatLock(other), formatLock(LOCK));
    }
  });

  test('says what it was made of when it is read again', () => {
    const read = parseLock('models.lock', formatLock(LOCK));
    assert.deepEqual(texts(read), texts(LOCK));
    assert.equal(formatLock(read), formatLock(LOCK));
  });

  test('keeps names of any characters, in letters that nobody takes for others', () => {
    const odd = [
      'with space',
      'per%cent',
      'per%20cent',
      'größe',
      '模型',
      '#',
      'tab\there',
      '"quoted"',
      '😀',
      'a\u202eb',
    ];
    const folders = odd.filter((name) => !name.includes('\t'));
    const lock: Lock = {
      selection: { models: [], exclude: [...odd, 'line\nend', 'line\r\nend', ' '] },
      also: folders,
      manifests: folders.flatMap((name) => [
        { tree: name, name: sha256(name) },
        { tree: `hub/models--org--${name}`, name: sha256(name) },
      ]),
    };
    const text = formatLock(lock);
    assert.match(text, /^[\n -~]*$/);
    assert.deepEqual(texts(parseLock('models.lock', text)), texts(lock));
  });

  test('may have comments, empty lines and the line ends of Windows', () => {
    const text = `${HEADER}\n# why this one\n${ONE}`.replaceAll('\n', '\r\n');
    assert.deepEqual(parseLock('models.lock', text).manifests, [{ tree: REPO, name: sha256('one') }]);
  });

  test('gives what it names without the folders that overlap others, and their manifests', () => {
    const trees = ['a', 'a/b', 'torch/hub', TORCH, REPO];
    const manifests = trees.map((tree) => `manifest ${sha256('one')} ${tree}\n`).join('');
    const also = `also a\nalso a/b\nalso torch/hub\nalso ${REPO}\n`;
    const lock = parseLock('models.lock', `${HEADER}${also}${manifests}`);
    assert.deepEqual(
      lock.manifests.map(({ tree }) => tree),
      ['a', TORCH, REPO],
    );
    assert.deepEqual(lock.also, ['a']);
    assert.deepEqual(lock.leftOut, [
      { folder: 'a/b', other: 'a' },
      { folder: 'torch/hub', other: TORCH },
      { folder: REPO, other: REPO },
    ]);
  });

  test('without a selection means everything of the trees that it names', () => {
    assert.deepEqual(parseLock('models.lock', `${HEADER}${ONE}`).selection, EVERYTHING);
  });
});

describe('a lock file is refused, with the line that is wrong', () => {
  const rows: readonly (readonly [name: string, text: string, says: RegExp])[] = [
    ['nothing at all', '', /models\.lock is empty/],
    ['one line end', '\n', /line 1: not a lock file of model-cache \(wanted # model-cache lock, version 1/],
    ['a last line that is cut off', `${HEADER}${ONE.slice(0, -1)}`, /ends in the middle of a line/],
    ['another file', 'FROM python\n', /line 1: not a lock file .*found FROM python/],
    ['a header that is not in the first line', `\n${HEADER}${ONE}`, /line 1: not a lock file/],
    [
      'a later version',
      `# model-cache lock, version 2: x\n${ONE}`,
      /version this program does not know \(wanted version 1, found version 2\); use a newer model-cache/,
    ],
    ['a version like ours', `# model-cache lock, version 10: x\n`, /found version 10/],
    ['no manifest', `${HEADER}model a/b\n`, /names no manifest; make it anew with `model-cache lock`/],
    ['an unknown word', `${HEADER}${ONE}blob x\n`, /line 3: no such word \(wanted model, .*, found blob x\)/],
    ['a merge that was not finished', `${HEADER}<<<<<<< HEAD\n${ONE}`, /line 2: no such word/],
    ['a line that is indented', `${HEADER} ${ONE}`, /line 2: no such word/],
    ['a digest that is too short', `${HEADER}manifest abc ${REPO}\n`, /line 2: not a manifest/],
    [
      'a digest in capitals',
      `${HEADER}${ONE.replace(/[0-9a-f]{64}/, (hex) => hex.toUpperCase())}`,
      /line 2: not a m/,
    ],
    ['a manifest without a tree', `${HEADER}manifest ${sha256('one')}\n`, /line 2: not a manifest/],
    ['more than a tree', `${HEADER}${ONE.trim()} more\n`, /line 2: not a manifest/],
    ['a tree outside', `${HEADER}manifest ${sha256('one')} ../../etc\n`, /line 2: not a tree that can be/],
    ['a tree of ours', `${HEADER}manifest ${sha256('one')} .model-cache\n`, /line 2: not a tree that can be/],
    [
      'a folder that no `also` names',
      `${HEADER}manifest ${sha256('one')} engines\n`,
      /`also` line, found engines/,
    ],
    ['an `also` that may not be mirrored', `${HEADER}also modules\n${ONE}`, /line 2: not a folder to mirror/],
    ['a spelling that is not the shortest', `${HEADER}${ONE.replace('hub', '%68ub')}`, /wanted hub\/models/],
    [
      'a broken escape',
      `${HEADER}exclude %E0%A4\n${ONE}`,
      /line 2: not a value .* others as %XX, found %25E0/,
    ],
    ['a control character', `${HEADER}exclude a\u0007b\n${ONE}`, /line 2: .*wanted a%07b, found a%07b/],
    ['an empty value', `${HEADER}exclude \n${ONE}`, /line 2: not a value/],
    [
      'a model in another form',
      `${HEADER}model a/b/c/d\n${ONE}`,
      /line 2: .*wanted ORG\/NAME.*found a\/b\/c\/d/,
    ],
  ];
  for (const [name, text, says] of rows) {
    test(name, () => {
      assert.throws(
        () => parseLock('models.lock', text),
        (error: unknown) => {
          assert.equal((error as { code?: string }).code, 'lock-invalid');
          assert.match(explain(error), says);
          return true;
        },
      );
    });
  }

  test('whatever is done to its bytes, it is read or refused', () => {
    const next = random(11);
    const bytes = Buffer.from(formatLock(LOCK));
    for (let round = 0; round < 2000; round += 1) {
      const damaged = Buffer.from(bytes);
      for (let n = 0; n < 1 + 3 * next(); n += 1) damaged[Math.floor(next() * damaged.length)] = 256 * next();
      try {
        parseLock('models.lock', damaged.toString('utf8'));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'lock-invalid');
      }
    }
  });
});

/** What a lock says, without order. */
function texts({ selection: { models, exclude }, also, manifests }: Lock): unknown {
  return {
    models: models.map(({ text }) => text).toSorted(),
    exclude: exclude.toSorted(),
    also: also.toSorted(),
    manifests: manifests.map(({ tree, name }) => `${tree} ${name}`).toSorted(),
  };
}
