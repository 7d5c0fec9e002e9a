import type { fromEnv } from '@aws-sdk/credential-providers';

export type IdentityProvider = ReturnType<typeof fromEnv>;
export type Identity = Awaited<ReturnType<IdentityProvider>>;

/** As much earlier as the SDK asks. */
const RENEWED_BEFORE_MS = 5 * 60_000;
/** A source that fails is not asked for each request. */
const ASKED_AGAIN_AFTER_MS = 10_000;

/**
 * One identity for all requests: a source may be another server or a program, and a restore makes thousands. Some
 * minutes before the identity expires it is asked for a new one; until that has come, or if it fails, the old one counts.
 * Throws what the source throws, and for a while the same again.
 */
export function keptIdentity(ask: IdentityProvider): IdentityProvider {
  let kept: Identity | undefined;
  let asking: Promise<Identity> | undefined;
  let failed: { readonly error: unknown; readonly until: number } | undefined;
  const fetchNew = async (): Promise<Identity> => {
    try {
      kept = await ask();
      failed = undefined;
      return kept;
    } catch (error) {
      failed = { error, until: Date.now() + ASKED_AGAIN_AFTER_MS };
      throw error;
    } finally {
      asking = undefined;
    }
  };
  const renewed = async (): Promise<Identity> => {
    if (failed !== undefined && Date.now() < failed.until) throw failed.error;
    return (asking ??= fetchNew());
  };
  return async () => {
    const left = (kept?.expiration?.getTime() ?? Infinity) - Date.now();
    if (kept === undefined || left <= 0) return renewed();
    if (left <= RENEWED_BEFORE_MS) renewed().catch(() => undefined);
    return kept;
  };
}
