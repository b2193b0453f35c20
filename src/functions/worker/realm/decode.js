'use strict';

// BSON to JavaScript values of this realm. The bytes come from the server, which validated them.

const { INT32, INT64, DOUBLE } = require('./numbers.js');

const { defineProperty } = Object;
const RealmDate = Date;
const fromCharCode = String.fromCharCode;
const NAME_CACHE_SIZE = 2048;
const MAX_DATE = 8.64e15;

module.exports = function createDecoder(types, host) {
  const { Buffer } = host;
  const { ObjectId, Binary, Long, Decimal128, Timestamp, BSONRegExp, Code, BSONSymbol, DBRef, MinKey, MaxKey } = types;
  const utf8Slice = Buffer.prototype.utf8Slice;
  const call = Function.prototype.call;
  const slice = call.bind(utf8Slice);
  const names = new Array(NAME_CACHE_SIZE).fill('');
  const scratch = new DataView(new ArrayBuffer(8));
  // Dates outside JavaScript's range by their exact milliseconds.
  const farDates = new WeakMap();

  let bytes;       // what is being read
  let at = 0;
  let memory;
  let isArgument = false;

  function int32() {
    const p = at;
    at = p + 4;
    return bytes[p] | (bytes[p + 1] << 8) | (bytes[p + 2] << 16) | (bytes[p + 3] << 24);
  }

  function text() {
    const length = int32();
    const start = at;
    at = start + length;
    return short(start, at - 1);
  }

  function short(start, end) {
    if (end - start > 12) return slice(bytes, start, end);
    let result = '';
    for (let i = start; i < end; ++i) {
      const c = bytes[i];
      if (c > 127) return slice(bytes, start, end);
      result += fromCharCode(c);
    }
    return result;
  }

  // A zero-terminated name. Names repeat, so equal ones share one string.
  function name() {
    const start = at;
    let hash = 0;
    let c;
    while ((c = bytes[at]) !== 0) {
      hash = (hash * 31 + c) & 0xffff;
      ++at;
    }
    const end = at++;
    const slot = (hash ^ (hash >>> 7)) & (NAME_CACHE_SIZE - 1);
    const known = names[slot];
    const length = end - start;
    if (known.length === length) {
      let i = 0;
      while (i < length && known.charCodeAt(i) === bytes[start + i]) ++i;
      if (i === length) return known;
    }
    const result = slice(bytes, start, end);
    if (result.length === length && length < 64) names[slot] = result;
    return result;
  }

  function double(container, key) {
    for (let i = 0; i < 8; ++i) scratch.setUint8(i, bytes[at + i]);
    at += 8;
    const n = scratch.getFloat64(0, true);
    if (Number.isInteger(n)) memory.record(container, key, n, DOUBLE, 0, 0);
    return n;
  }

  function int64(container, key) {
    const low = int32();
    const high = int32();
    const n = high * 4294967296 + (low >>> 0);
    if (isArgument) memory.sawInt64Argument = true;
    memory.record(container, key, n, INT64, low, high);
    return n;
  }

  function date() {
    const low = int32();
    const high = int32();
    const millis = high * 4294967296 + (low >>> 0);
    const result = new RealmDate(millis);
    if (millis > MAX_DATE || millis < -MAX_DATE) farDates.set(result, { low, high });
    return result;
  }

  function copy(length) {
    const start = at;
    at = start + length;
    return Buffer.from(bytes.subarray(start, at));
  }

  function binary() {
    let length = int32();
    const subtype = bytes[at++];
    if (subtype === 2 && length >= 4) {
      at += 4;
      length -= 4;
    }
    return new Binary(copy(length), subtype);
  }

  function zeroTerminated() {
    const start = at;
    while (bytes[at] !== 0) ++at;
    return slice(bytes, start, at++);
  }

  function regex() {
    const pattern = zeroTerminated();
    return new BSONRegExp(pattern, zeroTerminated());
  }

  function timestamp() {
    const i = int32() >>> 0;
    return new Timestamp({ t: int32() >>> 0, i });
  }

  function codeWithScope() {
    at += 4;
    const code = text();
    return new Code(code, object());
  }

  function value(type, container, key) {
    switch (type) {
      case 0x01: return double(container, key);
      case 0x02: return text();
      case 0x03: return object();
      case 0x04: return array();
      case 0x05: return binary();
      case 0x06: return undefined;
      case 0x07: return new ObjectId(copy(12));
      case 0x08: return bytes[at++] !== 0;
      case 0x09: return date();
      case 0x0a: return null;
      case 0x0b: return regex();
      case 0x0c: {
        const namespace = text();
        return new DBRef(namespace, new ObjectId(copy(12)));
      }
      case 0x0d: return new Code(text());
      case 0x0e: return new BSONSymbol(text());
      case 0x0f: return codeWithScope();
      case 0x10: {
        const n = int32();
        if (isArgument) memory.sawInt32Argument = true;
        memory.record(container, key, n, INT32, 0, 0);
        return n;
      }
      case 0x11: return timestamp();
      case 0x12: return int64(container, key);
      case 0x13: return new Decimal128(copy(16));
      case 0x7f: return new MaxKey();
      case 0xff: return new MinKey();
      default: throw new TypeError(`unknown BSON type ${type}`);
    }
  }

  function object() {
    at += 4;
    const result = {};
    let type;
    while ((type = bytes[at++]) !== 0) {
      const key = name();
      const member = value(type, result, key);
      if (key === '__proto__') {
        defineProperty(result, key, { value: member, writable: true, enumerable: true, configurable: true });
      } else {
        result[key] = member;
      }
    }
    return result;
  }

  function array() {
    at += 4;
    const result = [];
    let type;
    let index = 0;
    while ((type = bytes[at++]) !== 0) {
      while (bytes[at++] !== 0);
      result.push(value(type, result, index));
      ++index;
    }
    return result;
  }

  // The value of `type` at `start`; its numbers are remembered in `numbers`. `argument` marks arguments of the call.
  function decode(buffer, type, start, numbers, argument = false) {
    bytes = buffer;
    at = start;
    memory = numbers;
    isArgument = argument;
    try {
      return value(type, undefined, 'argument');
    } finally {
      bytes = undefined;
      memory = undefined;
    }
  }

  // The elements of the array at `start`, as separate arguments.
  function decodeArguments(buffer, start, numbers) {
    bytes = buffer;
    at = start + 4;
    memory = numbers;
    isArgument = true;
    try {
      const result = [];
      let type;
      while ((type = bytes[at++]) !== 0) {
        while (bytes[at++] !== 0);
        result.push(value(type, undefined, 'argument'));
      }
      return result;
    } finally {
      bytes = undefined;
      memory = undefined;
    }
  }

  return { decode, decodeArguments, farDates, Long };
};
