'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const BSON = require('bson');
const { FrameReader, FrameWriter, MAX_FRAME_BYTES, readFields } = require('../host/frames.js');

function cut(bytes, sizes) {
  const frames = [];
  const reader = new FrameReader((buffer, start) => {
    frames.push(BSON.deserialize(buffer.subarray(start, start + buffer.readInt32LE(start))));
  });
  let at = 0;
  for (let i = 0; at < bytes.length; ++i) {
    const size = sizes[i % sizes.length];
    reader.push(bytes.subarray(at, at + size));
    at += size;
  }
  return frames;
}

test('frames are found however the stream is cut', () => {
  const sent = [{ a: 1 }, { text: 'x'.repeat(1000) }, {}, { b: [1, 2] }];
  const bytes = Buffer.concat(sent.map((frame) => BSON.serialize(frame)));
  for (const sizes of [[1], [2, 3], [5], [7, 1, 100], [bytes.length]]) assert.deepEqual(cut(bytes, sizes), sent);
});

test('an impossible frame length is refused', () => {
  for (const length of [-1, 0, 4, MAX_FRAME_BYTES + 1]) {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32LE(length);
    assert.throws(() => cut(bytes, [8]), /not possible/);
  }
});

test('fields are read by kind, values stay raw', () => {
  const bytes = Buffer.from(BSON.serialize({ t: 'ä', n: BSON.Long.fromNumber(-5), i: 7, b: true, d: 1.5, o: { x: 1 },
    u: null, re: new BSON.BSONRegExp('a', 'i'), value: 3, last: 'end' }));
  const fields = readFields(bytes, 0);
  assert.equal(fields.t, 'ä');
  assert.equal(fields.n, -5);
  assert.equal(fields.i, 7);
  assert.equal(fields.b, true);
  assert.equal(fields.o.type, 3);
  assert.equal(fields.value.type, 0x10);
  assert.equal(bytes.readInt32LE(fields.value.at), 3);
  assert.equal(fields.last, 'end');
});

test('written frames are BSON and leave together', () => {
  const writes = [];
  const writer = new FrameWriter((bytes) => writes.push(bytes), () => {});
  const first = writer.begin('one');
  writer.int64('n', -(2 ** 40));
  writer.strings('lines', ['a', 'ü'.repeat(70000)]);
  writer.end(first);
  const second = writer.begin('two');
  writer.open('o');
  writer.bool('b', true);
  writer.close();
  writer.end(second);
  writer.flush();
  assert.equal(writes.length, 1);
  assert.deepEqual(cut(writes[0], [writes[0].length]), [{ t: 'one', n: -(2 ** 40), lines: ['a', 'ü'.repeat(70000)] },
    { t: 'two', o: { b: true } }]);
});

test('an aborted frame leaves nothing', () => {
  const writes = [];
  const writer = new FrameWriter((bytes) => writes.push(bytes), () => {});
  const frame = writer.begin('one');
  writer.open('o');
  writer.abort(frame);
  writer.flush();
  assert.equal(writes.length, 0);
  writer.end(writer.begin('two'));
  writer.flush();
  assert.deepEqual(cut(writes[0], [3]), [{ t: 'two' }]);
});
