import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { after, test } from 'node:test';
import type { PartsFound } from '../../src/cache/part-digests.ts';
import { PartDigester } from '../../src/cache/part-digester.ts';
import { ModelCacheError } from '../../src/errors.ts';
import { Lanes } from '../../src/transfer/lanes.ts';
import { PartsProof } from '../../src/transfer/parts-proof.ts';
import { Progress } from '../../src/transfer/progress.ts';
import { SharedUploads, type ObjectToShare } from '../../src/transfer/shared-upload.ts';
import { Throttle } from '../../src/transfer/throttle.ts';
import { CacheDir, sha256 } from '../cache/cache-dir.ts';
import { MemoryBucket } from './memory-bucket.ts';

const dir = new CacheDir();
const prover = new PartDigester();
after(() => {
  prover.close();
  rmSync(dir.path, { recursive: true });
});

const MiB = 1024 * 1024;
const PART = MiB;
const KEY = 'hub/models--org--name/blobs/abc';
const HOUR = 3_600_000;

test('a pod that is alone sends each part once, and nothing of the upload is left', async () => {
  const { bucket, bytes, send } = fresh(9 * PART + 5);
  assert.equal(await send(), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.equal(bucket.bytesSent, bytes.length);
  assert.deepEqual(bucket.uploads, []);
});

test('an object that is there already is not sent', async () => {
  const { bucket, bytes, send } = fresh(2 * PART);
  bucket.objects.set(KEY, { bytes, etag: 'there' });
  assert.equal(await send(), true);
  assert.deepEqual(bucket.calls, []);
});

test('an object that is known to be wrong is replaced, unless somebody else has done so', async () => {
  const { bucket, bytes, send } = fresh(2 * PART);
  bucket.objects.set(KEY, { bytes: randomBytes(bytes.length), etag: 'wrong' });
  assert.equal(await send({ key: KEY, turn: 0, replaces: 'wrong' }), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  bucket.calls.length = 0;
  assert.equal(await send({ key: KEY, turn: 0, replaces: 'wrong' }), true);
  assert.deepEqual(bucket.calls, []);
});

test('what a killed pod has left is gone on with: only missing parts are sent, in the oldest upload', async () => {
  const { bucket, bytes, part, send } = fresh(6 * PART + 7);
  bucket.begun(KEY, {}, Date.now() + 5);
  bucket.begun(KEY, { 1: part(1), 3: part(3), 7: part(7) }, Date.now() - HOUR);
  assert.equal(await send(), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.equal(bucket.bytesSent, 4 * PART);
  assert.deepEqual(bucket.uploads, []);
});

test('parts that hold something else, or are of another size, are sent over; parts beyond the end are left out', async () => {
  const { bucket, bytes, part, send } = fresh(4 * PART);
  const other = {
    1: randomBytes(PART),
    2: part(2).subarray(1),
    3: part(3),
    5: randomBytes(PART),
    900: part(1),
  };
  bucket.begun(KEY, other);
  assert.equal(await send(), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.equal(bucket.bytesSent, 3 * PART);
});

for (const pods of [2, 4, 8]) {
  test(`${pods} pods that begin at once send little more than one would, and all know that it is there`, async () => {
    const { bucket, bytes, send } = fresh(40 * PART);
    bucket.pace = 10;
    const results = await Promise.all(Array.from({ length: pods }, () => send()));
    assert.ok(results.every(Boolean));
    assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
    assert.ok(bucket.bytesSent < 1.3 * bytes.length, `${bucket.bytesSent / bytes.length} times the bytes`);
    assert.deepEqual(bucket.uploads, []);
  });
}

test('pods that begin in the same second meet, where the store tells times in seconds', async () => {
  const { bucket, bytes, send } = fresh(20 * PART);
  bucket.timesIn = 1000;
  bucket.pace = 5;
  const first = send();
  await new Promise((done) => setTimeout(done, 500));
  assert.deepEqual(await Promise.all([first, send()]), [true, true]);
  assert.ok(bucket.bytesSent < 1.3 * bytes.length, `${bucket.bytesSent / bytes.length} times the bytes`);
  assert.deepEqual(bucket.uploads, []);
});

test('pods that hold different files under one name never make a mixture of them', async () => {
  const { bucket, bytes, send } = fresh(16 * PART);
  const other = fresh(16 * PART, bucket);
  bucket.pace = 1;
  await Promise.allSettled([send(), other.send()]);
  const kept = bucket.objects.get(KEY)?.bytes;
  assert.ok(kept === undefined || kept.equals(bytes) || kept.equals(other.bytes));
});

test('an upload that somebody else completes is done', async () => {
  const { bucket, bytes, send } = fresh(4 * PART);
  bucket.refuse = (call) => {
    if (call !== 'complete') return undefined;
    bucket.objects.set(KEY, { bytes, etag: 'by another pod' });
    return 'object-upload-gone';
  };
  assert.equal(await send(), true);
  assert.equal(bucket.objects.get(KEY)?.etag, 'by another pod');
});

test('what a part that arrives while somebody else completes it makes of the upload is taken back', async () => {
  const { bucket, bytes, send } = fresh(4 * PART);
  bucket.refuse = (call) => {
    if (call !== 'complete') return undefined;
    bucket.objects.set(KEY, { bytes, etag: 'by another pod' });
    bucket.uploads.length = 0;
    bucket.begun(KEY);
    return 'object-upload-gone';
  };
  assert.equal(await send(), true);
  assert.deepEqual(bucket.uploads, []);
});

test('a wrong object whose upload somebody takes away is not taken for replaced', async () => {
  const { bucket, bytes, send } = fresh(4 * PART);
  bucket.objects.set(KEY, { bytes: randomBytes(bytes.length), etag: 'wrong' });
  bucket.refuse = (call, _key, count) => {
    if (call !== 'putPart' || count !== 2) return undefined;
    bucket.uploads.length = 0;
    return 'object-upload-gone';
  };
  assert.equal(await send({ key: KEY, turn: 0, replaces: 'wrong' }), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
});

test('a pod that is stopped while it chooses leaves its upload to who has joined it', async () => {
  const { bucket, bytes, send } = fresh(4 * PART);
  bucket.pace = 5;
  bucket.objects.set(KEY, { bytes: randomBytes(bytes.length), etag: 'wrong' });
  const wrong: ObjectToShare = { key: KEY, turn: 0, replaces: 'wrong' };
  const stop = new AbortController();
  const stopped = send(wrong, 0, stop.signal);
  await eventually(() => bucket.uploads.length === 1);
  const other = send(wrong);
  await eventually(() => bucket.uploads.length === 2);
  stop.abort(new ModelCacheError('interrupted', 'SIGTERM'));
  await assert.rejects(stopped);
  assert.equal(await other, true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
});

test('an object that is completed while a pod begins its own upload is not sent again', async () => {
  const { bucket, bytes, send } = fresh(4 * PART);
  bucket.refuse = (call) => {
    if (call === 'create') bucket.objects.set(KEY, { bytes, etag: 'by another pod' });
    return undefined;
  };
  assert.equal(await send(), true);
  assert.equal(bucket.bytesSent, 0);
  assert.deepEqual(bucket.uploads, []);
});

test('an upload that somebody takes away is begun anew', async () => {
  const { bucket, bytes, send } = fresh(4 * PART);
  bucket.refuse = (call, _key, count) =>
    call === 'putPart' && count === 2 ? 'object-upload-gone' : undefined;
  assert.equal(await send(), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
});

test('an upload that is always taken away is given up', async () => {
  const { bucket, send } = fresh(2 * PART);
  bucket.refuse = (call) => (call === 'putPart' ? 'object-upload-gone' : undefined);
  await assert.rejects(send(), { code: 'object-upload-gone' });
});

test('a part that was replaced before the completion: the parts are listed again, once', async () => {
  const { bucket, bytes, send } = fresh(3 * PART);
  bucket.refuse = (call, _key, count) => {
    if (call !== 'complete' || count > 1) return undefined;
    const [upload] = bucket.uploads;
    const replaced = upload?.parts.get(2);
    if (replaced !== undefined)
      upload?.parts.set(2, { ...replaced, bytes: randomBytes(PART), etag: 'f'.repeat(32) });
    return 'object-part-invalid';
  };
  assert.equal(await send(), true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.equal(bucket.calls.filter((call) => call === 'complete').length, 2);
});

for (const [what, etagOf] of [
  ['are no digests', () => 'opaque"tag'],
  ['look like digests, and are none of the content', () => '0'.repeat(32)],
] as const) {
  test(`where ETags ${what}, nothing is shared: it is said once, and nothing is left`, async () => {
    const { bucket, send, unshared } = fresh(4 * PART);
    bucket.etagOf = etagOf;
    assert.equal(await send(), false);
    assert.deepEqual(bucket.uploads, []);
    assert.equal(unshared.length, 1);
  });
}

test('another pod’s upload with opaque ETags is left alone', async () => {
  const { bucket, send } = fresh(4 * PART);
  bucket.etagOf = () => 'opaque';
  bucket.begun(KEY, { 1: randomBytes(PART) });
  assert.equal(await send(), false);
  assert.equal(bucket.uploads.length, 1);
  assert.equal(bucket.bytesSent, 0);
});

for (const code of ['store-denied', 'store-unsupported'] as const) {
  for (const call of ['list', 'parts'] as const) {
    test(`where ${call} is ${code}, nothing is shared`, async () => {
      const { bucket, send, unshared } = fresh(2 * PART);
      bucket.refuse = (asked) => (asked === call ? code : undefined);
      assert.equal(await send(), false);
      assert.deepEqual([unshared.length, bucket.uploads.length], [1, 0]);
    });
  }
}

test('a key that may not begin an upload is told so', async () => {
  const { bucket, send } = fresh(2 * PART);
  bucket.refuse = (call) => (call === 'create' ? 'store-denied' : undefined);
  await assert.rejects(send(), { code: 'store-denied' });
});

test('an upload that nobody has added to for long is taken back, not joined; one with a young part is joined', async () => {
  const { bucket, part, send } = fresh(3 * PART);
  const now = Date.now();
  bucket.begun(KEY, { 1: part(1) }, now - 48 * HOUR);
  assert.equal(await send(undefined, now - 24 * HOUR), true);
  assert.equal(bucket.bytesSent, 3 * PART);

  const other = fresh(3 * PART);
  const old = other.bucket.begun(KEY, { 1: other.part(1) }, now - 48 * HOUR);
  const [upload] = other.bucket.uploads;
  const kept = upload?.parts.get(1);
  if (kept !== undefined) upload?.parts.set(1, { ...kept, modified: now });
  assert.ok(old.initiated < now - 24 * HOUR);
  assert.equal(await other.send(undefined, now - 24 * HOUR), true);
  assert.equal(other.bucket.bytesSent, 2 * PART);
});

test('stopped in the middle, its parts stay for the next pod', async () => {
  const { bucket, bytes, send } = fresh(12 * PART);
  bucket.pace = 2;
  const stop = new AbortController();
  const sending = send(undefined, 0, stop.signal);
  while ((bucket.uploads[0]?.parts.size ?? 0) < 3) await new Promise((done) => setTimeout(done, 5));
  stop.abort(new ModelCacheError('interrupted', 'stopped by SIGTERM'));
  await assert.rejects(sending, { code: 'interrupted' });
  const kept = bucket.uploads[0]?.parts.size ?? 0;
  assert.ok(kept >= 3);
  bucket.bytesSent = 0;
  assert.equal(await send(), true);
  assert.equal(bucket.bytesSent, bytes.length - kept * PART);
});

test('stopped in an upload that another pod has begun, it leaves nothing of its own but the parts', async () => {
  const { bucket, part, send } = fresh(12 * PART);
  const other = bucket.begun(KEY, { 1: part(1) }, Date.now() - HOUR);
  bucket.pace = 2;
  const stop = new AbortController();
  const sending = send(undefined, 0, stop.signal);
  while ((bucket.uploads[0]?.parts.size ?? 0) < 3) await new Promise((done) => setTimeout(done, 5));
  stop.abort(new ModelCacheError('interrupted', 'stopped by SIGTERM'));
  await assert.rejects(sending, { code: 'interrupted' });
  assert.deepEqual(
    bucket.uploads.map(({ id }) => id),
    [other.id],
  );
});

test('a file that becomes shorter or changes while it is sent never becomes an object', async () => {
  for (const change of [
    (bytes: Buffer) => bytes.subarray(0, PART),
    (bytes: Buffer) => randomBytes(bytes.length),
  ]) {
    const { bucket, bytes, path, send } = fresh(6 * PART);
    bucket.refuse = (call, _key, count) => {
      if (call === 'putPart' && count === 2) writeFileSync(path, change(bytes));
      return undefined;
    };
    await assert.rejects(send(), { code: 'file-changed' });
    assert.equal(bucket.objects.size, 0);
  }
});

test('a broken connection costs another try of that part, and the progress counts each byte once', async () => {
  const { bucket, bytes, progress, send } = fresh(4 * PART);
  bucket.refuse = (call, _key, count) =>
    call === 'putPart' && count === 1 ? 'store-unreachable' : undefined;
  assert.equal(await send(), true);
  assert.equal(progress.bytesDone, bytes.length);
});

test('alone, a pod sends what is known of its file before the whole is proved, and completes after it', async () => {
  const { bucket, bytes, proofOf, sendProved } = fresh(6 * PART);
  const { proof, tell, prove } = proofOf();
  const sending = sendProved(proof);
  for (const number of [1, 2, 3]) tell(number);
  await eventually(() => bucket.uploads[0]?.parts.size === 3);
  for (const number of [4, 5, 6]) tell(number);
  await eventually(() => bucket.uploads[0]?.parts.size === 6);
  assert.ok(!bucket.calls.includes('complete'));
  prove();
  assert.equal(await sending, true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
});

test('a file that turns out wrong when all of it is sent is no object, and nothing of it is left', async () => {
  const { bucket, proofOf, sendProved } = fresh(3 * PART);
  const { proof, tell, refuse } = proofOf();
  const sending = sendProved(proof);
  for (const number of [1, 2, 3]) tell(number);
  await eventually(() => bucket.uploads[0]?.parts.size === 3);
  refuse(new ModelCacheError('file-digest-differs', 'it is wrong'));
  await assert.rejects(sending, { code: 'file-digest-differs' });
  assert.deepEqual([bucket.uploads.length, bucket.objects.size], [0, 0]);
});

test('a file that turns out wrong is left where others take part: they send what is right over it', async () => {
  const { bucket, bytes, proofOf, sendProved, send } = fresh(8 * PART);
  const { proof, tell, refuse } = proofOf(randomBytes(8 * PART));
  const wrong = sendProved(proof);
  for (const number of [1, 2, 3]) tell(number);
  await eventually(() => bucket.uploads[0]?.parts.size === 3);
  bucket.pace = 5;
  const right = send();
  await eventually(() => bucket.uploads.length === 2);
  refuse(new ModelCacheError('file-digest-differs', 'it is wrong'));
  await assert.rejects(wrong, { code: 'file-digest-differs' });
  assert.equal(await right, true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.deepEqual(bucket.uploads, []);
});

test('once others take part, nothing is sent any more until the whole is proved', async () => {
  const { bucket, bytes, proofOf, sendProved } = fresh(6 * PART);
  const { proof, tell, prove } = proofOf();
  const sending = sendProved(proof);
  for (const number of [1, 2]) tell(number);
  await eventually(() => bucket.uploads[0]?.parts.size === 2);
  const other = bucket.begun(KEY);
  await called(bucket, 'list', 2);
  for (const number of [3, 4, 5, 6]) tell(number);
  await called(bucket, 'parts', 2);
  assert.equal(bucket.uploads[0]?.parts.size, 2);
  prove();
  assert.equal(await sending, true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.ok(!bucket.uploads.some(({ id }) => id === other.id));
});

test('an upload that somebody else has begun gets nothing before the whole is proved', async () => {
  const { bucket, bytes, part, proofOf, sendProved } = fresh(4 * PART);
  bucket.begun(KEY, { 1: part(1) }, Date.now() - HOUR);
  const { proof, tell, prove } = proofOf();
  const sending = sendProved(proof);
  for (const number of [1, 2, 3, 4]) tell(number);
  await new Promise((done) => setTimeout(done, 100));
  assert.equal(bucket.uploads.length, 1);
  assert.equal(bucket.bytesSent, 0);
  prove();
  assert.equal(await sending, true);
  assert.ok(bucket.objects.get(KEY)?.bytes.equals(bytes));
  assert.equal(bucket.bytesSent, 3 * PART);
});

test('stopped before the whole is proved, the parts stay', async () => {
  const { bucket, proofOf, sendProved } = fresh(4 * PART);
  const stop = new AbortController();
  const { proof, tell, refuse } = proofOf();
  const sending = sendProved(proof, stop.signal);
  for (const number of [1, 2]) tell(number);
  await eventually(() => bucket.uploads[0]?.parts.size === 2);
  const why = new ModelCacheError('interrupted', 'stopped by SIGTERM');
  stop.abort(why);
  refuse(why);
  await assert.rejects(sending, { code: 'interrupted' });
  assert.equal(bucket.uploads[0]?.parts.size, 2);
});

/** A proof that a test makes by hand. */
interface HandMade {
  readonly proof: PartsProof;
  readonly tell: (number: number) => void;
  readonly prove: () => void;
  readonly refuse: (error: Error) => void;
}

/** So many times more. */
async function called(bucket: MemoryBucket, name: string, times: number): Promise<void> {
  const calls = (): number => bucket.calls.filter((call) => call === name).length;
  const before = calls();
  await eventually(() => calls() >= before + times);
}

async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setTimeout(done, 5));
}

interface Pod {
  readonly bucket: MemoryBucket;
  readonly bytes: Buffer;
  readonly path: string;
  readonly progress: Progress;
  readonly unshared: string[];
  readonly part: (number: number) => Buffer;
  /** Of these bytes, or its own. */
  readonly proofOf: (other?: Buffer) => HandMade;
  readonly sendProved: (proof: PartsProof, signal?: AbortSignal) => Promise<boolean>;
  readonly send: (object?: ObjectToShare, abandonedBefore?: number, signal?: AbortSignal) => Promise<boolean>;
}

/** A file, and pods that have it: each `send` is another one. */
function fresh(size: number, bucket = new MemoryBucket()): Pod {
  const bytes = randomBytes(size);
  const wanted = sha256(bytes);
  const path = dir.at(dir.file(`file-${randomBytes(4).toString('hex')}`, bytes));
  const progress = new Progress();
  const unshared: string[] = [];
  const uploadsOf = (signal: AbortSignal, abandonedBefore: number): SharedUploads | undefined =>
    SharedUploads.of({
      store: bucket.store(),
      progress,
      throttle: new Throttle(undefined),
      lanes: new Lanes(4),
      signal,
      abandonedBefore,
      onUnshared: (why) => unshared.push(why),
    });
  const proofOf: Pod['proofOf'] = (other = bytes) => {
    writeFileSync(`${path}-proved`, other);
    const whole = Promise.withResolvers<PartsFound>();
    let onPart: (md5: string) => void = () => undefined;
    const proof = new PartsProof(size, PART, (hear) => {
      onPart = hear;
      return whole.promise;
    });
    return {
      proof,
      tell: (number) => onPart(md5(other.subarray((number - 1) * PART, number * PART))),
      prove: () => whole.resolve({ digests: { sha256: wanted }, parts: undefined }),
      refuse: (error) => whole.reject(error),
    };
  };
  const sendProved: Pod['sendProved'] = async (proof, signal = new AbortController().signal) => {
    const file = await open(`${path}-proved`, 'r');
    try {
      return (await uploadsOf(signal, 0)?.send({ key: KEY, turn: 0 }, file, proof)) === true;
    } finally {
      await file.close();
    }
  };
  const send: Pod['send'] = async (
    object = { key: KEY, turn: 0 },
    abandonedBefore = 0,
    signal = new AbortController().signal,
  ) => {
    const uploads = uploadsOf(signal, abandonedBefore);
    const file = await open(path, 'r');
    try {
      const what = { size, partSize: PART, algorithms: ['sha256'] as const };
      const proof = new PartsProof(size, PART, async (onPart) => {
        const found = await prover.prove(file, what, { onPart, onDisk: () => undefined }, signal);
        if (found === undefined) throw signal.reason;
        if (found.digests.sha256 !== wanted) throw new ModelCacheError('file-digest-differs', 'it is wrong');
        return found;
      });
      try {
        return (await uploads?.send(object, file, proof)) === true;
      } finally {
        await proof.whole.catch(() => undefined);
      }
    } finally {
      await file.close();
    }
  };
  const part = (number: number): Buffer => bytes.subarray((number - 1) * PART, number * PART);
  return { bucket, bytes, path, progress, unshared, part, proofOf, sendProved, send };
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}
