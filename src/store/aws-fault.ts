import { STATUS_CODES } from 'node:http';

/** What the SDK throws: a store's answer, or what became of the connection. All of it may come from anybody. */
export interface AwsFault {
  readonly name?: string;
  readonly Code?: string;
  readonly code?: string;
  readonly message?: string;
  /** In the body of an answer that knows better. */
  readonly Region?: string;
  readonly Endpoint?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

const LONGEST_DETAIL = 300;
/** Names that say nothing. */
const EMPTY_NAMES = new Set(['Error', 'Unknown', 'UnknownError']);
/** What stands before and behind the words of those who know. */
const SDK_WORDS = /@smithy\/node-http-handler - |@aws-sdk | \(configured by client requestHandler\)/g;
const FOR_DEVELOPERS = /\.?\s*Deserialization error: .*$/s;
/** From here on, an answer may repeat what the request was signed with. */
const SIGNING = /authorization|credential|signature|x-amz-|aws4|access.?key|token|secret/i;

export function statusOf(fault: AwsFault): number | undefined {
  return fault.$metadata?.httpStatusCode;
}

/** The provider's or the system's word for it; empty when there is none. */
export function nameOf({ Code, code, name }: AwsFault): string {
  const isTelling = (word: string): boolean => /^[\w.-]{1,64}$/.test(word) && !EMPTY_NAMES.has(word);
  return [Code, code, name].find((word) => word !== undefined && isTelling(word)) ?? '';
}

/** `SlowDown (503)`, or what the status is called. */
export function whatItSaid(fault: AwsFault): string {
  const status = statusOf(fault);
  const name = nameOf(fault) || (STATUS_CODES[status ?? 0] ?? 'an unknown error');
  return status === undefined ? name : `${name} (${status})`;
}

/** `: ` and what was said beside the name, as far as it is safe to repeat; or nothing. */
export function detailOf(fault: AwsFault): string {
  const message = fault.message?.replaceAll(SDK_WORDS, '').replace(FOR_DEVELOPERS, '').trim() ?? '';
  if (message === '' || EMPTY_NAMES.has(message)) return '';
  const [safe = ''] = message.slice(0, LONGEST_DETAIL).split(SIGNING);
  return `: ${safe.length < message.length ? `${safe.toWellFormed()}...` : message}`;
}

/** Whether it is an answer that no S3 store gives: a page for people, another program's words. */
export function isUnreadable({ message }: AwsFault): boolean {
  return message !== undefined && FOR_DEVELOPERS.test(message);
}

/** The bucket's region, where the answer knows it. */
export function toldRegion({ $response, Region }: AwsFault): string | undefined {
  const region = $response?.headers?.['x-amz-bucket-region'] ?? Region;
  return region !== undefined && /^[\w-]{1,40}$/.test(region) ? region : undefined;
}

/** Where a redirect leads: its query may be a secret, its host is none. */
export function toldHost({ $response, Endpoint }: AwsFault): string | undefined {
  const location = $response?.headers?.['location'] ?? '';
  const host = URL.canParse(location) ? new URL(location).host : Endpoint;
  return host !== undefined && /^[\w.:-]{1,200}$/.test(host) ? host : undefined;
}
