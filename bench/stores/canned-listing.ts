export interface Listed {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modified: Date;
}

/** The answer to ListObjectsV2 with `encoding-type=url` for all objects below a prefix, on one page. */
export function listingOf(bucket: string, prefix: string, objects: readonly Listed[]): string {
  const below = objects
    .filter(({ key }) => key.startsWith(prefix))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const contents = below.map(
    ({ key, size, etag, modified }) =>
      `<Contents><Key>${encoded(key)}</Key><LastModified>${modified.toISOString()}</LastModified>` +
      `<ETag>${etag.replaceAll('"', '&quot;')}</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<Name>${bucket}</Name><Prefix>${encoded(prefix)}</Prefix><KeyCount>${below.length}</KeyCount>` +
    `<MaxKeys>${Math.max(1000, below.length)}</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>` +
    `${contents.join('')}</ListBucketResult>`
  );
}

/** Slashes stay, so that those who did not ask for the encoding read ordinary keys. */
function encoded(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/');
}
