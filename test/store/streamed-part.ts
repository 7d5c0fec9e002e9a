import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** The headers of a part as every provider takes it: of known length, with a signed MD5, and nothing of the SDK's own. */
export function assertStreamedPart(headers: IncomingHttpHeaders, bytes: Buffer): void {
  assert.equal(headers['content-md5'], createHash('md5').update(bytes).digest('base64'));
  assert.equal(headers['content-length'], String(bytes.length));
  assert.equal(headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
  assert.match(headers.authorization ?? '', /SignedHeaders=[^,]*content-md5/);
  assert.equal(headers.expect, undefined);
  assertNothingOfTheSdk(headers);
}

export function assertNothingOfTheSdk(headers: IncomingHttpHeaders): void {
  assert.equal(headers['transfer-encoding'], undefined);
  assert.equal(headers['content-encoding'], undefined);
  const names = Object.keys(headers).filter((name) =>
    /^(x-amz-(checksum|sdk-checksum|trailer|decoded)|expect$)/.test(name),
  );
  assert.deepEqual(names, []);
}
