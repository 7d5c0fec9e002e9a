import type { fromEnv } from '@aws-sdk/credential-providers';

export type IdentityProvider = ReturnType<typeof fromEnv>;
export type Identity = Awaited<ReturnType<IdentityProvider>>;

/** As the SDK does it. */
const RENEWED_BEFORE_MS = 5 * 60_000;
/** A source that fails is not asked for each request. */
const ASKED_AGAIN_AFTER_MS = 10_000;

/**
 * One identity for all requests: a source may be another server or a program, and a restore makes thousands. Some
 * minutes before the identity expires it is asked for a new one; until that has come, or if it fails, the old one counts.
 */
export function keptIdentity(ask: IdentityProvider): IdentityProvider {
  let kept: Identity | undefined;
  let asking: Promise<Identity> | undefined;
  let mayAskAt = -Infinity;
  const askOnce = (): Promise<Identity> => {
    mayAskAt = Date.now() + ASKED_AGAIN_AFTER_MS;
    asking ??= ask()
      .then((identity) => (kept = identity))
      .finally(() => (asking = undefined));
    return asking;
  };
  return async () => {
    const left = (kept?.expiration?.getTime() ?? Infinity) - Date.now();
    if (kept === undefined || left <= 0) return askOnce();
    if (left <= RENEWED_BEFORE_MS && Date.now() >= mayAskAt) askOnce().catch(() => undefined);
    return kept;
  };
}
