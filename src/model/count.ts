/** Files and their bytes together. */
export interface Count {
  readonly files: number;
  readonly bytes: number;
}

export function countOf(files: readonly { readonly size: number }[]): Count {
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}
