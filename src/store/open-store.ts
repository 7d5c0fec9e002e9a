import { FolderStore } from './folder-store.ts';
import type { S3Settings } from './s3-access.ts';
import type { S3StoreEvents } from './s3-store.ts';
import type { Store } from './store.ts';

export type StoreSettings =
  | ({ readonly kind: 's3' } & S3Settings)
  | { readonly kind: 'file'; readonly path: string };

/** The one door to the remote side. What is for buckets is loaded only when one is asked for. */
export async function openStore(settings: StoreSettings, events?: S3StoreEvents): Promise<Store> {
  if (settings.kind === 'file') return new FolderStore(settings.path);
  const { S3Store } = await import('./s3-store.ts');
  return S3Store.open(settings, events);
}
