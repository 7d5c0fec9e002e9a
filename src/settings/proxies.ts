import { ModelCacheError } from '../errors.ts';
import { redactedAddress } from '../redact.ts';
import type { ProxyVariables } from '../store/s3-access.ts';
import type { RawSettings } from './raw.ts';

/**
 * Most programs read either spelling; the lower-case one counts first. They are not only this program's: what is no
 * proxy is told, and stops no command.
 */
export function proxiesOf(raw: RawSettings): ProxyVariables {
  const named = (name: string): string =>
    raw.variable(name.toLowerCase()) === undefined ? name : name.toLowerCase();
  const proxy = (name: string): string | undefined => {
    const text = raw.variable(named(name));
    const url = text === undefined ? undefined : parseProxy(text);
    if (text !== undefined && url === undefined) raw.problems.push(notAProxy(named(name), text));
    return url;
  };
  return {
    HTTP_PROXY: proxy('HTTP_PROXY'),
    HTTPS_PROXY: proxy('HTTPS_PROXY'),
    NO_PROXY: raw.variable(named('NO_PROXY')),
  };
}

/** With a scheme, http where none is given, as curl has it: Node goes by no other address, and says nothing. */
function parseProxy(text: string): string | undefined {
  const withScheme = text.includes('://') ? text : `http://${text.replace(/^\/\//, '')}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname.includes('@')) return undefined;
  return isDecodable(url.username + url.password) ? url.href : undefined;
}

/** Node decodes who goes through a proxy, and throws in the middle of things. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function notAProxy(name: string, text: string): ModelCacheError {
  return new ModelCacheError('setting-invalid', `${name}: not a proxy`, {
    wanted: 'http://HOST:PORT',
    found: redactedAddress(text),
    hint: 'the store is asked without it',
  });
}
