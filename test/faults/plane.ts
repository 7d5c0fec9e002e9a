export const PLANES = ['own', 'sdk'] as const;

/** By which requests a run fetches: the program's own ones, or those of the AWS SDK, as where something is unusual. */
export type Plane = (typeof PLANES)[number];

const NOBODY = 'http://127.0.0.1:1';

/**
 * Variables that leave it all to the SDK, by the same way: there is a proxy, and no store of the rig is behind it. That
 * is said as Node's agent reads it, by which the SDK goes; the program, which only knows names, does not understand it.
 */
export function variablesOf(plane: Plane): Readonly<Record<string, string>> {
  if (plane === 'own') return {};
  const NO_PROXY = '127.0.0.0-127.255.255.255,no-such-host.invalid:9000';
  return { HTTP_PROXY: NOBODY, HTTPS_PROXY: NOBODY, NO_PROXY };
}

/** Of a line of the log that says that the SDK is asked. */
export const BY_SDK = 'store.by-sdk';
