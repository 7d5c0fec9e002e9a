/** C0, DEL and C1: a terminal takes them for orders. */
// oxlint-disable-next-line no-control-regex -- control characters are exactly what must not get through
export const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/g;
const RUNS = new RegExp(`(?:${CONTROL_CHARACTERS.source})+`, 'g');

/** What others say may be in a text: it is one line, and no terminal obeys it. */
export function inOneLine(text: string): string {
  return text.replaceAll(RUNS, ' ');
}
