import { ModelCacheError } from '../errors.ts';

const HINT = 'delete that object from the bucket; the next upload puts a right one there';

/** The whole object is not of the size that is known of it. Bytes. */
export function otherSize(key: string, wanted: number, found: number): ModelCacheError {
  return new ModelCacheError(
    'object-size-differs',
    `the object ${key} has another size than its manifest says`,
    {
      wanted: `${wanted} bytes`,
      found: `${found} bytes`,
      hint: HINT,
    },
  );
}

/** A range reaches beyond the end of the object. Bytes. */
export function endsEarly(key: string, wantedEnd: number, size: number): ModelCacheError {
  return new ModelCacheError('object-size-differs', `the object ${key} ends before it should`, {
    wanted: `at least ${wantedEnd} bytes`,
    found: `${size} bytes`,
    hint: HINT,
  });
}

export function otherContent(
  key: string,
  mismatch: { readonly wanted: string; readonly found: string },
): ModelCacheError {
  return new ModelCacheError(
    'object-digest-differs',
    `the object ${key} is not what its name or manifest says`,
    {
      ...mismatch,
      hint: HINT,
    },
  );
}

/** Another object than the one that the bytes before came from. */
export function otherObject(key: string, wantedEtag: string, foundEtag: string): ModelCacheError {
  return new ModelCacheError('object-changed', `the object ${key} was replaced while it was read`, {
    wanted: wantedEtag,
    found: foundEtag,
  });
}
