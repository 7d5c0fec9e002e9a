import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FORMAT_BYTES, FORMAT_KEY, manifestKey } from '../../src/model/bucket.ts';
import { serializeManifest, type Manifest, type ManifestFile } from '../../src/model/manifest.ts';
import { TORCH_CHECKPOINTS } from '../../src/model/tree.ts';
import { A, inSnapshot } from '../model/builders.ts';

export const HONEST = 'hub/models--org--honest';
export const EVIL = 'hub/models--evil--model';
/** A folder that --also names. */
export const ALSO = 'engines';

/** What the honest repo has, by its path in the snapshot. */
export const HONEST_FILES: Readonly<Record<string, Buffer>> = {
  'model.bin': randomBytes(2_000_000),
  'sub/config.json': Buffer.from('{"honest": true}'),
};

const GIB = 1024 ** 3;

/** A folder store with one honest repo, and everything beside it that somebody who may write could put there. */
export function makeHostileBucket(root: string): void {
  const bucket = new Bucket(root);
  bucket.put(FORMAT_KEY, FORMAT_BYTES);
  addHonestRepo(bucket);
  addUnsafePaths(bucket);
  addTreesThatMeet(bucket);
  addBrokenManifests(bucket);
  addWhatIsNoFile(bucket);
}

class Bucket {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  put(key: string, content: Buffer | string): void {
    const path = join(this.root, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  /** The content under the key it has as a blob of a tree. */
  blob(tree: string, content: Buffer): ManifestFile {
    const name = sha256(content);
    this.put(`${tree}/blobs/${name}`, content);
    return { path: `blobs/${name}`, size: content.length, sha256: name };
  }

  /** The content under the key that any other file has. */
  data(path: string, content: Buffer): ManifestFile {
    this.put(`.model-cache/v1/data/${sha256(content)}`, content);
    return { path, size: content.length, sha256: sha256(content) };
  }

  manifest(tree: string, contents: Partial<Manifest>): string {
    const { name, bytes } = serializeManifest({
      version: 1,
      tree,
      generation: 1,
      supersedes: [],
      files: [],
      links: [],
      refs: [],
      retired: [],
      ...contents,
    });
    this.put(manifestKey(tree, name), bytes);
    return name;
  }

  /** Text in the place of a manifest, under the name that its bytes give it. */
  text(tree: string, text: string): void {
    this.put(manifestKey(tree, sha256(text)), text);
  }
}

function addHonestRepo(bucket: Bucket): void {
  const entries = Object.entries(HONEST_FILES).map(([path, content]) => ({
    path,
    blob: bucket.blob(HONEST, content),
  }));
  bucket.manifest(HONEST, {
    files: entries.map(({ blob }) => blob),
    links: entries.map(({ path, blob }) => ({
      path: inSnapshot(A, path),
      target: `${'../'.repeat(path.split('/').length + 1)}${blob.path}`,
    })),
    refs: [{ path: 'refs/main', content: A }],
  });
}

function addUnsafePaths(bucket: Bucket): void {
  const evil = Buffer.from('evil');
  const blob = bucket.blob(EVIL, evil);
  const paths = [
    '../../../escaped',
    '/escaped',
    '../escaped',
    'a/../../escaped',
    `snapshots/${A}/../../../../escaped`,
    `snapshots/${A}/token`,
    `snapshots/${A}/.env`,
    `snapshots/${A}/nul\0byte`,
    `snapshots/${A}/back\\slash`,
    `snapshots/${A}/${'n'.repeat(300)}`,
    `snapshots/${A}/${'d/'.repeat(500)}x`,
    'token',
    'stored_tokens',
    '.model-cache/state.json',
    '__proto__',
    'constructor',
  ];
  bucket.manifest(EVIL, {
    files: [
      blob,
      ...paths.map((path) => bucket.data(path, evil)),
      { ...blob, size: Number.MAX_SAFE_INTEGER },
    ],
    links: [
      '/etc/passwd',
      '../../../../../../etc/passwd',
      '../../../token',
      '../../refs/main',
      '../..',
      '.',
      'loop-2',
    ]
      .map((target, index) => ({ path: inSnapshot(A, `loop-${index}`), target }))
      .concat([
        { path: 'blobs', target: '../../../..' },
        { path: 'refs', target: '/etc' },
        { path: inSnapshot(A, 'fine'), target: `../../${blob.path}` },
        { path: inSnapshot(A, 'fine/below'), target: `../../../${blob.path}` },
      ]),
    refs: [
      { path: 'refs/main', content: `${A}\n` },
      { path: 'refs/../../../escaped', content: A },
      { path: 'refs/main/below', content: A },
    ],
  });
  bucket.manifest(TORCH_CHECKPOINTS, {
    files: ['../../../modules/x.py', 'key.pem', '.netrc', 'x/token/y', 'a', 'a/b', 'a/b/c'].map((path) =>
      bucket.data(path, evil),
    ),
    links: [
      { path: 'up', target: '..' },
      { path: 'out', target: '../../../../outside' },
      { path: 'round', target: 'round' },
      { path: 'there', target: 'back' },
      { path: 'back', target: 'there' },
    ],
  });
}

function addTreesThatMeet(bucket: Bucket): void {
  const evil = Buffer.from('evil');
  for (const tree of [
    'models--org--honest',
    `${HONEST}/blobs/models--evil--model`,
    `${HONEST}/snapshots/${A}/models--evil--model`,
    `${TORCH_CHECKPOINTS}/models--evil--model`,
    `${ALSO}/models--evil--model`,
    'modules',
    'modules/models--evil--model',
    '.model-cache/partial/models--evil--model',
    '.Model-Cache/models--evil--model',
    'hub/.locks/models--evil--model',
    '../models--evil--model',
    'outside',
    '__proto__',
    '__proto__/models--evil--constructor',
  ])
    bucket.manifest(tree, { files: [bucket.data(`blobs/${sha256(evil)}`, evil)] });
}

function addBrokenManifests(bucket: Bucket): void {
  const whole = {
    version: 1,
    tree: EVIL,
    generation: 1,
    supersedes: [],
    files: [],
    links: [],
    refs: [],
    retired: [],
  };
  const said = (change: object): string => JSON.stringify({ ...whole, ...change });
  const file = `{"path":"x","size":1,"sha256":"${'0'.repeat(64)}"}`;
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '['.repeat(100_000) + ']'.repeat(100_000),
    `[${'{},'.repeat(5_000_000)}{}]`,
    said({ more: '7' }).replace('"7"', '['.repeat(100_000) + ']'.repeat(100_000)),
    said({ version: 'x'.repeat(1_000_000) }),
    said({ version: 2 }),
    said({ tree: HONEST }),
    said({ files: '7' }).replace('"7"', `[${file.replace(':1,', ':1e400,')}]`),
    said({ files: '7' }).replace('"7"', `[${file.replace(':1,', ':-0,')}]`),
    said({ files: '7' }).replace('"7"', `[${file.replace(':1,', ':9007199254740993,')}]`),
    said({ refs: [{ path: 'refs/main', content: 'x'.repeat(10_000) }] }),
    said({ generation: '7' }).replace('"7"', `${Number.MAX_SAFE_INTEGER}`),
    said({ ['__proto__']: 1 }),
    '\u001b[2J\u0007',
  ])
    bucket.text(EVIL, text);
  bucket.put(manifestKey(HONEST, 'f'.repeat(64)), said({ tree: HONEST }));
  bucket.manifest(EVIL, {
    generation: Number.MAX_SAFE_INTEGER,
    links: Array.from({ length: 100_000 }, (_, index) => ({
      path: inSnapshot(A, `link-${index}`),
      target: '../../blobs/x',
    })),
  });
  const huge = openSync(join(bucket.root, manifestKey(EVIL, 'a'.repeat(64))), 'w');
  ftruncateSync(huge, GIB);
  closeSync(huge);
}

function addWhatIsNoFile(bucket: Bucket): void {
  const at = (key: string): string => {
    const path = join(bucket.root, key);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  const names = ['b', 'c', 'd', 'e'].map((digit) => digit.repeat(64));
  const files = names.map((sha) => ({ path: `blobs/${sha}`, size: 1, sha256: sha }));
  const [pipe = '', zero = '', passwd = '', folder = ''] = files.map(({ path }) => at(`${EVIL}/${path}`));
  spawnSync('mkfifo', [pipe]);
  symlinkSync('/dev/zero', zero);
  symlinkSync('/etc/passwd', passwd);
  mkdirSync(folder);
  bucket.manifest(EVIL, { files });
  spawnSync('mkfifo', [at(manifestKey(EVIL, '1'.repeat(64)))]);
  symlinkSync('/dev/zero', at(manifestKey(EVIL, '2'.repeat(64))));
  symlinkSync('..', at('.model-cache/v1/manifests/up'));
  mkdirSync(at(manifestKey(EVIL, '3'.repeat(64))));
  bucket.put(`.model-cache/v1/manifests/${'x'.repeat(200)}/y`, 'no manifest');
  bucket.put('.model-cache/v1/manifests/%FF/x.json', 'no manifest');
}

function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}
