'use strict';

// Extended JSON v2 for functions: numbers keep their kinds, both ways (spec: functions §5.5).

const { INT32, INT64, DOUBLE, defaultKind } = require('./numbers.js');
const { errorMembers, isErrorObject } = require('./errors.js');

const { keys: keysOf, defineProperty } = Object;
const { isArray } = Array;
const RealmDate = Date;
const stringifyJson = JSON.stringify;
const parseJson = JSON.parse;
const MAX_DEPTH = 180;

// `memoryOf` gives the number memory of the running request.
module.exports = function createExtendedJson(types, host, memoryOf) {
  const { Buffer, isDate, isRegExp } = host;

  function doubleText(n) {
    if (Object.is(n, -0)) return '-0.0';
    return Number.isInteger(n) && Math.abs(n) < 1e21 ? `${n}.0` : String(n);
  }

  function extendedNumber(n, relaxed, members, key) {
    if (relaxed && (Number.isSafeInteger(n) || (Number.isFinite(n) && !Number.isInteger(n)))) return n;
    const origin = memoryOf().originOf(members, key, n, false);
    const kind = origin === undefined ? defaultKind(n) : origin.kind;
    if (kind === DOUBLE) {
      return relaxed && Number.isFinite(n) ? n : { $numberDouble: doubleText(n) };
    }
    if (origin !== undefined && kind === INT64 && !Number.isSafeInteger(n)) {
      return { $numberLong: new types.Long(origin.low, origin.high).toString() };
    }
    if (relaxed) return n;
    return kind === INT32 && origin !== undefined ? { $numberInt: String(n) } : { $numberLong: String(n) };
  }

  function extendedDate(value, relaxed) {
    const millis = RealmDate.prototype.getTime.call(value);
    if (millis !== millis) return null;
    const year = value.getUTCFullYear();
    if (relaxed && year >= 1970 && year <= 9999) return { $date: value.toISOString().replace('.000Z', 'Z') };
    return { $date: { $numberLong: String(millis) } };
  }

  function subTypeText(subType) {
    return (subType < 16 ? '0' : '') + subType.toString(16);
  }

  function extendedBson(v, relaxed, ancestors) {
    switch (v._bsontype) {
      case 'ObjectId': return { $oid: v.toHexString() };
      case 'Int32': return relaxed ? Number(v.value) : { $numberInt: String(v.value) };
      case 'Long': {
        const n = v.toNumber();
        return relaxed && Number.isSafeInteger(n) ? n : { $numberLong: v.toString() };
      }
      case 'Double': return relaxed && Number.isFinite(v.value) ? v.value : { $numberDouble: doubleText(v.value) };
      case 'Decimal128': return { $numberDecimal: v.toString() };
      case 'Binary': return { $binary: { base64: v.toBase64(), subType: subTypeText(v.sub_type) } };
      case 'Timestamp': return { $timestamp: { t: v.high >>> 0, i: v.low >>> 0 } };
      case 'BSONRegExp': return { $regularExpression: { pattern: v.pattern, options: v.options } };
      case 'BSONSymbol': return { $symbol: String(v.value) };
      case 'MinKey': return { $minKey: 1 };
      case 'MaxKey': return { $maxKey: 1 };
      case 'Code':
        return v.scope ? { $code: String(v.code), $scope: extended(v.scope, relaxed, undefined, '', ancestors) }
          : { $code: String(v.code) };
      case 'DBRef': {
        const result = { $ref: v.collection, $id: extended(v.oid, relaxed, undefined, '$id', ancestors) };
        if (v.db) result.$db = v.db;
        return result;
      }
      default: throw new TypeError('unknown BSON type');
    }
  }

  function regexOptions(flags) {
    return [...'ims'].filter((flag) => flags.includes(flag)).join('');
  }

  function members(v, relaxed, ancestors) {
    if (ancestors.includes(v)) throw new TypeError('cannot convert a circular structure to EJSON');
    if (ancestors.length > MAX_DEPTH) throw new TypeError('a value is nested too deeply');
    ancestors.push(v);
    const known = memoryOf().membersOf(v);
    let result;
    if (isArray(v)) {
      result = v.map((item, i) => extended(item, relaxed, known, i, ancestors));
    } else {
      result = {};
      const own = v instanceof Map ? Object.fromEntries(v) : v;
      for (const key of keysOf(own)) {
        const item = extended(own[key], relaxed, known, key, ancestors);
        if (item === undefined) continue;
        defineProperty(result, key, { value: item, writable: true, enumerable: true, configurable: true });
      }
    }
    ancestors.pop();
    return result;
  }

  // The value as plain JSON data with wrappers.
  function extended(v, relaxed, known, key, ancestors) {
    switch (typeof v) {
      case 'number': return extendedNumber(v, relaxed, known, key);
      case 'bigint': return { $numberLong: String(v) };
      case 'undefined': return undefined;
      case 'function': return v._bsontype === undefined ? undefined : extendedBson(v, relaxed, ancestors);
      case 'symbol': return undefined;
      case 'object': break;
      default: return v;
    }
    if (v === null) return null;
    if (typeof v._bsontype === 'string') return extendedBson(v, relaxed, ancestors);
    if (isDate(v)) return extendedDate(v, relaxed);
    if (isRegExp(v)) return { $regularExpression: { pattern: v.source, options: regexOptions(v.flags) } };
    if (ArrayBuffer.isView(v)) {
      const base64 = Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString('base64');
      return { $binary: { base64, subType: '00' } };
    }
    if (typeof v.toBSON === 'function') return extended(v.toBSON(), relaxed, undefined, key, ancestors);
    if (isErrorObject(v)) return members(errorMembers(v), relaxed, ancestors);
    if (v instanceof String || v instanceof Number || v instanceof Boolean) return v.valueOf();
    return members(v, relaxed, ancestors);
  }

  function serialize(value, options) {
    return extended(value, options !== undefined && options !== null && options.relaxed === true, undefined, '', []);
  }

  // stringify(value[, replacer[, space]][, options]), canonical unless options.relaxed.
  function stringify(value, replacer, space, options) {
    if (space !== null && typeof space === 'object') {
      options = space;
      space = 0;
    }
    if (replacer !== null && typeof replacer === 'object' && !isArray(replacer)) {
      options = replacer;
      replacer = undefined;
      space = 0;
    }
    return stringifyJson(serialize(value, options), replacer, space);
  }

  function integer64(text, container, key) {
    const value = types.Long.fromString(text);
    const n = value.toNumber();
    memoryOf().record(container, key, n, INT64, value.low, value.high);
    return n;
  }

  function dateOf(v) {
    if (typeof v === 'string' || typeof v === 'number') return new RealmDate(v);
    return new RealmDate(Number(v.$numberLong));
  }

  function binaryOf(v) {
    if (typeof v.$binary === 'string') {
      return new types.Binary(Buffer.from(v.$binary, 'base64'), parseInt(v.$type, 16) || 0);
    }
    return new types.Binary(Buffer.from(v.$binary.base64, 'base64'), parseInt(v.$binary.subType, 16));
  }

  const WRAPPERS = {
    $oid: (v) => new types.ObjectId(v.$oid),
    $numberInt: (v, container, key) => {
      const n = Number(v.$numberInt);
      memoryOf().record(container, key, n, INT32, 0, 0);
      return n;
    },
    $numberLong: (v, container, key) => integer64(String(v.$numberLong), container, key),
    $numberDouble: (v, container, key) => {
      const n = Number(v.$numberDouble);
      if (Number.isInteger(n)) memoryOf().record(container, key, n, DOUBLE, 0, 0);
      return n;
    },
    $numberDecimal: (v) => types.Decimal128.fromString(v.$numberDecimal),
    $date: (v) => dateOf(v.$date),
    $binary: binaryOf,
    $uuid: (v) => new types.Binary(Buffer.from(v.$uuid.replace(/-/g, ''), 'hex'), 4),
    $regularExpression: (v) => new types.BSONRegExp(v.$regularExpression.pattern, v.$regularExpression.options),
    $timestamp: (v) => new types.Timestamp({ t: v.$timestamp.t, i: v.$timestamp.i }),
    $symbol: (v) => new types.BSONSymbol(v.$symbol),
    $code: (v) => new types.Code(v.$code, v.$scope),
    $minKey: () => new types.MinKey(),
    $maxKey: () => new types.MaxKey(),
    $undefined: () => undefined,
  };

  function revive(v, container, key) {
    if (typeof v === 'number') {
      memoryOf().record(container, key, v, defaultKind(v), 0, 0);
      return v;
    }
    if (typeof v !== 'object' || v === null) return v;
    if (isArray(v)) {
      for (let i = 0; i < v.length; ++i) v[i] = revive(v[i], v, i);
      return v;
    }
    const keys = keysOf(v);
    const wrapper = keys.length > 0 && keys[0][0] === '$' ? WRAPPERS[keys[0]] : undefined;
    if (wrapper !== undefined && keys.length <= 2) return wrapper(v, container, key);
    for (const name of keys) {
      const value = revive(v[name], v, name);
      if (value !== v[name]) defineProperty(v, name, { value, writable: true, enumerable: true, configurable: true });
    }
    return v;
  }

  // Reads Extended JSON, canonical or relaxed.
  function parse(text) {
    return revive(parseJson(text), undefined, 'argument');
  }

  function deserialize(value) {
    return parse(stringifyJson(value));
  }

  return { parse, stringify, serialize, deserialize };
};
