import { parseXML, XmlNode } from '@aws-sdk/xml-builder';
import type { ListedPart, ListedUpload } from './listed-uploads.ts';
import { listOf, textsOf } from './plain-answers.ts';
import type { SentPart } from './store.ts';

type Texts = Partial<Record<string, string>>;

export interface UploadsPage {
  readonly entries: readonly ListedUpload[];
  readonly isEncoded: boolean;
  /** As it was listed. */
  readonly next: { readonly key: string; readonly id: string | undefined } | undefined;
}

/** The answer to ListMultipartUploads. This and the others throw for whatever is none. */
export function parseUploads(xml: string): UploadsPage {
  const result = elementOf(xml, 'ListMultipartUploadsResult');
  const { IsTruncated, NextKeyMarker, NextUploadIdMarker, EncodingType } = textsOf(result);
  return {
    entries: listOf(result['Upload']).map((entry) => {
      const { Key, UploadId, Initiated } = textsOf(entry);
      return { Key, UploadId, Initiated: dateOf(Initiated) };
    }),
    isEncoded: EncodingType === 'url',
    next: isLast(IsTruncated, NextKeyMarker)
      ? undefined
      : { key: NextKeyMarker ?? '', id: NextUploadIdMarker === '' ? undefined : NextUploadIdMarker },
  };
}

export interface PartsPage {
  readonly entries: readonly ListedPart[];
  readonly next: string | undefined;
}

/** The answer to ListParts. */
export function parseParts(xml: string): PartsPage {
  const result = elementOf(xml, 'ListPartsResult');
  const { IsTruncated, NextPartNumberMarker } = textsOf(result);
  return {
    entries: listOf(result['Part']).map((entry) => {
      const { PartNumber, Size, ETag, LastModified } = textsOf(entry);
      return {
        PartNumber: wholeNumber(PartNumber),
        Size: wholeNumber(Size),
        ETag,
        LastModified: dateOf(LastModified),
      };
    }),
    next: isLast(IsTruncated, NextPartNumberMarker) ? undefined : NextPartNumberMarker,
  };
}

/** The id of an upload that was created. */
export function parseCreated(xml: string): string {
  return wanted(textsOf(elementOf(xml, 'InitiateMultipartUploadResult')), 'UploadId');
}

/** The ETag of an object that was completed. While a store was busy with it, it has sent spaces. */
export function parseCompleted(xml: string): string {
  return wanted(textsOf(elementOf(xml.trim(), 'CompleteMultipartUploadResult')), 'ETag');
}

/** What an upload is to be completed of. */
export function completionOf(parts: readonly SentPart[]): Buffer {
  const root = new XmlNode('CompleteMultipartUpload');
  root.addAttribute('xmlns', 'http://s3.amazonaws.com/doc/2006-03-01/');
  for (const { number, etag } of parts.toSorted((a, b) => a.number - b.number)) {
    const part = new XmlNode('Part');
    part.addChildNode(XmlNode.of('ETag', etag));
    part.addChildNode(XmlNode.of('PartNumber', String(number)));
    root.addChildNode(part);
  }
  return Buffer.from(root.toString());
}

function elementOf(xml: string, name: string): Readonly<Record<string, unknown>> {
  const element = (parseXML(xml) as Record<string, unknown>)[name];
  if (typeof element === 'object' && element !== null) return element as Record<string, unknown>;
  throw new Error(`no ${name}`);
}

function isLast(isTruncated: string | undefined, next: string | undefined): boolean {
  if (isTruncated === 'false') return true;
  if (isTruncated === 'true' && next !== undefined && next !== '') return false;
  throw new Error('a listing that does not say its end');
}

function wanted(texts: Texts, name: string): string {
  const text = texts[name];
  if (text !== undefined && text !== '') return text;
  throw new Error(`no ${name}`);
}

function wholeNumber(text: string | undefined): number {
  if (text !== undefined && /^\d{1,15}$/.test(text)) return Number(text);
  throw new Error('a number that is none');
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
