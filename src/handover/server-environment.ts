import type { Environment } from '../settings/raw.ts';
import type { Settings } from '../settings/settings.ts';

type StoreKeys = Pick<Settings, 'dropCredentials' | 'store' | 'storeProblem' | 'storeIsOff'>;

const OWN = ['MODEL_CACHE_ACCESS_KEY_ID', 'MODEL_CACHE_SECRET_ACCESS_KEY', 'MODEL_CACHE_SESSION_TOKEN'];
const AWS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
const CONTAINER = ['AWS_CONTAINER_AUTHORIZATION_TOKEN'];

/**
 * What the server inherits. With --drop-credentials, that is without the keys that the store is reached with; keys that
 * are the server's own stay.
 */
export function inheritedBy(settings: StoreKeys, env: Environment): Environment {
  if (!settings.dropCredentials) return env;
  const dropped = new Set([...OWN, ...sharedKeys(settings, env)]);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !dropped.has(name)));
}

/** Of the names that a server may have keys of its own under, those whose keys are the store's. */
function sharedKeys({ store, storeProblem, storeIsOff }: StoreKeys, env: Environment): readonly string[] {
  const [[id = '', secret = ''], [, awsSecret = '']] = [OWN, AWS];
  const hasOwn = isSet(env, id) && isSet(env, secret) && valueOf(env, secret) !== valueOf(env, awsSecret);
  // A store that was meant has its keys, whatever is wrong with its name.
  const isMeant = store?.kind === 's3' || storeProblem !== undefined || storeIsOff;
  if (!isMeant || hasOwn || (store?.kind === 's3' && store.credentials.anonymous)) return [];
  return store?.kind === 's3' && store.credentials.keys === undefined && store.credentials.container
    ? [...AWS, ...CONTAINER]
    : AWS;
}

function isSet(env: Environment, name: string): boolean {
  return valueOf(env, name) !== '';
}

/** As the settings take it. */
function valueOf(env: Environment, name: string): string {
  return (env[name] ?? '').trim();
}
