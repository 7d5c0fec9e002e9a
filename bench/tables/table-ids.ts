/** In the order of the document. */
export const TABLE_IDS = [
  'cold',
  'locked',
  'nginx',
  'tls',
  'small',
  'upload',
  'idle',
  'links',
  'growth',
  'threads',
  'digests',
] as const;

export type TableId = (typeof TABLE_IDS)[number];
