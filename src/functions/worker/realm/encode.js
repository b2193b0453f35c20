'use strict';

// JavaScript values to BSON, straight into the buffer of outgoing frames.

const { INT32, INT64, defaultKind } = require('./numbers.js');
const { errorMembers } = require('./errors.js');

const { keys: keysOf } = Object;
const { isArray } = Array;
const RealmDate = Date;
const RealmRegExp = RegExp;
const RealmMap = Map;
const RealmPromise = Promise;
const toText = String;
const ViewOf = ArrayBuffer.isView;
const RealmArrayBuffer = ArrayBuffer;
const MAX_DEPTH = 180;
const MAX_INT64 = 2n ** 63n;
const INDEX_NAMES = Array.from({ length: 1000 }, (_, i) => String(i));

class EncodeError extends TypeError {}

// `sink` is {buf, pos, reserve(n)}: reserve makes room for n bytes behind pos and may replace buf.
module.exports = function createEncoder(host, farDates) {
  const { Buffer, sink, isDate, isRegExp, isError } = host;
  const call = Function.prototype.call;
  const utf8Write = call.bind(Buffer.prototype.utf8Write);
  const scratch = new DataView(new ArrayBuffer(8));
  const ancestors = [];

  let memory;
  let isResult = false;      // else the value is written to a data source
  let integersAre64 = false;

  function int32(n) {
    const { buf, pos } = sink;
    buf[pos] = n;
    buf[pos + 1] = n >>> 8;
    buf[pos + 2] = n >>> 16;
    buf[pos + 3] = n >>> 24;
    sink.pos = pos + 4;
  }

  function ascii(text) {
    const { buf } = sink;
    let { pos } = sink;
    for (let i = 0; i < text.length; ++i) {
      const c = text.charCodeAt(i);
      if (c > 127) return false;
      buf[pos++] = c;
    }
    sink.pos = pos;
    return true;
  }

  function utf8(text) {
    if (text.length < 32 && ascii(text)) return;
    sink.pos += utf8Write(sink.buf, text, sink.pos);
  }

  function head(type, key) {
    if (typeof key === 'number') {
      sink.reserve(32);
      sink.buf[sink.pos++] = type;
      ascii(key < 1000 ? INDEX_NAMES[key] : toText(key));
    } else {
      sink.reserve(key.length * 3 + 32);
      sink.buf[sink.pos++] = type;
      if (key.includes('\0')) throw new EncodeError('a member name must not contain a zero character');
      utf8(key);
    }
    sink.buf[sink.pos++] = 0;
  }

  function lengthPrefixed(text) {
    sink.reserve(text.length * 3 + 16);
    const start = sink.pos;
    sink.pos += 4;
    utf8(text);
    sink.buf[sink.pos++] = 0;
    const end = sink.pos;
    sink.pos = start;
    int32(end - start - 4);
    sink.pos = end;
  }

  function string(key, text) {
    head(0x02, key);
    lengthPrefixed(text);
  }

  function double(key, n) {
    head(0x01, key);
    scratch.setFloat64(0, n, true);
    for (let i = 0; i < 8; ++i) sink.buf[sink.pos + i] = scratch.getUint8(i);
    sink.pos += 8;
  }

  function int64Parts(key, low, high) {
    head(0x12, key);
    int32(low);
    int32(high);
  }

  function int64(key, n) {
    int64Parts(key, n | 0, Math.floor(n / 4294967296) | 0);
  }

  function number(key, n, members) {
    const origin = memory.recall(members, key, n, isResult);
    let kind;
    if (origin !== undefined) {
      if (origin.kind === INT64 && !Number.isSafeInteger(n)) return int64Parts(key, origin.low, origin.high);
      kind = origin.kind;
    } else {
      kind = defaultKind(n);
      if (integersAre64 && kind === INT32) kind = INT64;
    }
    if (kind === INT32) {
      head(0x10, key);
      int32(n);
    } else if (kind === INT64) {
      int64(key, n);
    } else {
      double(key, n);
    }
  }

  function bigint(key, n) {
    if (n >= MAX_INT64 || n < -MAX_INT64) throw new EncodeError('a BigInt must fit into 64 bits');
    int64Parts(key, Number(BigInt.asIntN(32, n)), Number(BigInt.asIntN(32, n >> 32n)));
  }

  function raw(data) {
    sink.reserve(data.length + 16);
    sink.buf.set(data, sink.pos);
    sink.pos += data.length;
  }

  function binary(key, data, subtype) {
    head(0x05, key);
    sink.reserve(data.length + 16);
    const old = subtype === 2;
    int32(data.length + (old ? 4 : 0));
    sink.buf[sink.pos++] = subtype;
    if (old) int32(data.length);
    raw(data);
  }

  function date(key, value) {
    const far = farDates.get(value);
    if (far !== undefined) {
      head(0x09, key);
      int32(far.low);
      int32(far.high);
      return;
    }
    const millis = RealmDate.prototype.getTime.call(value);
    if (millis !== millis) {
      empty(0x0a, key);
      return;
    }
    head(0x09, key);
    int32(millis | 0);
    int32(Math.floor(millis / 4294967296) | 0);
  }

  function zeroTerminated(text) {
    if (text.includes('\0')) throw new EncodeError('a regular expression must not contain a zero character');
    sink.reserve(text.length * 3 + 16);
    utf8(text);
    sink.buf[sink.pos++] = 0;
  }

  function regex(key, pattern, options) {
    head(0x0b, key);
    zeroTerminated(pattern);
    zeroTerminated(options);
  }

  function regexOptions(flags) {
    let options = '';
    if (flags.includes('i')) options += 'i';
    if (flags.includes('m')) options += 'm';
    if (flags.includes('s')) options += 's';
    return options;
  }

  function empty(type, key) {
    head(type, key);
  }

  function bsonValue(key, v) {
    switch (v._bsontype) {
      case 'ObjectId':
        head(0x07, key);
        return raw(v.id);
      case 'Int32':
        head(0x10, key);
        return int32(Number(v.value) | 0);
      case 'Double': return double(key, Number(v.value));
      case 'Long': return int64Parts(key, v.low, v.high);
      case 'Decimal128':
        head(0x13, key);
        return raw(v.bytes);
      case 'Binary': return binary(key, v.buffer.subarray(0, v.position), v.sub_type);
      case 'Timestamp':
        head(0x11, key);
        int32(v.low);
        return int32(v.high);
      case 'BSONRegExp': return regex(key, v.pattern, v.options);
      case 'BSONSymbol':
        head(0x0e, key);
        return lengthPrefixed(toText(v.value));
      case 'Code': return code(key, v);
      case 'DBRef': return container(key, 0x03, dbRefMembers(v));
      case 'MinKey': return empty(0xff, key);
      case 'MaxKey': return empty(0x7f, key);
      default: throw new EncodeError(`unknown BSON type ${toText(v._bsontype)}`);
    }
  }

  function dbRefMembers(v) {
    const result = { $ref: v.collection, $id: v.oid };
    if (v.db) result.$db = v.db;
    return Object.assign(result, v.fields);
  }

  function code(key, v) {
    if (v.scope === null || v.scope === undefined) {
      head(0x0d, key);
      return lengthPrefixed(toText(v.code));
    }
    head(0x0f, key);
    const start = sink.pos;
    sink.pos += 4;
    lengthPrefixed(toText(v.code));
    body(v.scope, false);
    return patch(start);
  }

  function patch(start) {
    const end = sink.pos;
    sink.pos = start;
    int32(end - start);
    sink.pos = end;
  }

  function container(key, type, v) {
    head(type, key);
    body(v, type === 0x04);
  }

  function body(v, asArray) {
    if (ancestors.includes(v)) throw new EncodeError('cannot convert a circular structure to BSON');
    if (ancestors.length >= MAX_DEPTH) throw new EncodeError('a value is nested too deeply');
    ancestors.push(v);
    sink.reserve(16);
    const start = sink.pos;
    sink.pos += 4;
    const members = memory.membersOf(v);
    if (asArray) {
      for (let i = 0; i < v.length; ++i) {
        const item = v[i];
        element(i, typeof item === 'function' && item._bsontype === undefined ? null : item, members);
      }
    } else if (v instanceof RealmMap) {
      for (const [key, item] of v) element(toText(key), item, undefined);
    } else {
      const keys = keysOf(v);
      for (let i = 0; i < keys.length; ++i) element(keys[i], v[keys[i]], members);
    }
    sink.reserve(16);
    sink.buf[sink.pos++] = 0;
    patch(start);
    ancestors.pop();
  }

  function object(key, v) {
    if (isArray(v)) return container(key, 0x04, v);
    if (v._bsontype !== undefined && typeof v._bsontype === 'string') return bsonValue(key, v);
    if (v instanceof RealmDate || isDate(v)) return date(key, v);
    if (v instanceof RealmRegExp || isRegExp(v)) return regex(key, v.source, regexOptions(v.flags));
    if (ViewOf(v)) return binary(key, Buffer.from(v.buffer, v.byteOffset, v.byteLength), 0);
    if (v instanceof RealmArrayBuffer) return binary(key, Buffer.from(v), 0);
    if (typeof v.toBSON === 'function') return element(key, v.toBSON(), undefined);
    if (v instanceof String || v instanceof Number || v instanceof Boolean) return element(key, v.valueOf(), undefined);
    if (isError(v)) return container(key, 0x03, errorMembers(v));
    if (v instanceof RealmPromise) return container(key, 0x03, {});
    return container(key, 0x03, v);
  }

  function element(key, v, members) {
    switch (typeof v) {
      case 'string': return string(key, v);
      case 'number': return number(key, v, members);
      case 'boolean':
        head(0x08, key);
        sink.buf[sink.pos++] = v ? 1 : 0;
        return undefined;
      case 'undefined': return empty(isResult ? 0x06 : 0x0a, key);
      case 'bigint': return bigint(key, v);
      case 'object': return v === null ? empty(0x0a, key) : object(key, v);
      case 'function': return v._bsontype === undefined ? undefined : bsonValue(key, v);
      default: return typeof key === 'number' ? empty(0x0a, key) : undefined;  // a symbol
    }
  }

  // Writes one element of the open document. On an error nothing of it stays.
  function write(key, value, numbers, asResult) {
    const start = sink.pos;
    memory = numbers;
    isResult = asResult;
    integersAre64 = asResult && numbers.resultsAreInt64();
    ancestors.length = 0;
    try {
      element(key, value, undefined);
    } catch (error) {
      sink.pos = start;
      throw error;
    } finally {
      memory = undefined;
    }
  }

  return {
    // A value as the function's result: undefined stays undefined, computed integers follow the arguments.
    result: (key, value, numbers) => write(key, value, numbers, true),
    // A value for a data source: undefined becomes null.
    argument: (key, value, numbers) => write(key, value, numbers, false),
  };
};
