import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getText, rangeLine } from '../../src/wire/get-text.ts';

const own = { target: '/b/k', signature: 'abc' };

test('a request is its target, what it shares with others, its signature, and its own lines', () => {
  assert.equal(
    getText(' HTTP/1.1\r\nhost: h\r\nauthorization: by ', own, 'range: bytes=0-9\r\n'),
    'GET /b/k HTTP/1.1\r\nhost: h\r\nauthorization: by abc\r\nrange: bytes=0-9\r\n\r\n',
  );
});

test('what is not signed ends with what it shares', () => {
  assert.equal(
    getText(' HTTP/1.1\r\nhost: h', { ...own, signature: '' }, ''),
    'GET /b/k HTTP/1.1\r\nhost: h\r\n\r\n',
  );
});

test('a range is said by its first and last byte, and that of an empty object not at all', () => {
  assert.equal(rangeLine({ start: 5, end: 10 }), 'range: bytes=5-9\r\n');
  assert.equal(rangeLine({ start: 0, end: 0 }), '');
});
