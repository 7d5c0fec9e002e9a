import { parseXML } from '@aws-sdk/xml-builder';
import type { Answer } from '../wire/answer-reader.ts';
import type { AwsFault } from './aws-fault.ts';
import type { Page } from './s3-pages.ts';

/** An answer that is no content, as the SDK would have thrown it. */
export function faultOf({ status, headers, body }: Answer): AwsFault {
  const { Error: said } = parsedOrNothing(body);
  const { Code, Message, Region, Endpoint } = textsOf(said);
  return {
    ...(Code === undefined ? {} : { name: Code, Code }),
    ...(Message === undefined ? {} : { message: Message }),
    ...(Region === undefined ? {} : { Region }),
    ...(Endpoint === undefined ? {} : { Endpoint }),
    $metadata: { httpStatusCode: status },
    $response: { headers },
  };
}

interface ListedEntry {
  readonly Key: string | undefined;
  readonly Size: number;
  readonly ETag: string | undefined;
}

export interface ListedPage extends Page<ListedEntry, string> {
  readonly isEncoded: boolean;
}

/** The answer to ListObjectsV2. Throws for whatever is none. */
export function parseListing(xml: string): ListedPage {
  const { ListBucketResult: result } = parseXML(xml) as Record<string, unknown>;
  if (typeof result !== 'object' || result === null) throw new Error('no listing');
  const { Contents, IsTruncated, NextContinuationToken, EncodingType } = result as Record<string, unknown>;
  if (IsTruncated !== 'true' && IsTruncated !== 'false')
    throw new Error('a listing that does not say its end');
  if (IsTruncated === 'true' && typeof NextContinuationToken !== 'string')
    throw new Error('a listing without its continuation');
  return {
    entries: listOf(Contents).map((entry) => {
      const { Key, Size, ETag } = textsOf(entry);
      return { Key, Size: Size === undefined ? NaN : Number(Size), ETag };
    }),
    next: IsTruncated === 'true' ? (NextContinuationToken as string) : undefined,
    isEncoded: EncodingType === 'url',
  };
}

function parsedOrNothing(body: string): Record<string, unknown> {
  try {
    return parseXML(body) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** An element that stands once is no list to the parser. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === '') return [];
  return Array.isArray(value) ? value : [value];
}

/** The children that are nothing but text. */
export function textsOf(element: unknown): Partial<Record<string, string>> {
  if (typeof element !== 'object' || element === null) return {};
  return Object.fromEntries(Object.entries(element).filter(([, value]) => typeof value === 'string'));
}
