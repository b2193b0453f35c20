'use strict';

// The BSON classes as functions see them (spec: functions §5.5): the official package's, callable without `new`, with
// the helpers of the hosted service.

const { construct } = Reflect;
const { defineProperty, setPrototypeOf } = Object;

function callable(Class, adapt = (args) => args) {
  const Wrapper = function (...args) {
    return construct(Class, adapt(args), new.target === undefined ? Wrapper : new.target);
  };
  defineProperty(Wrapper, 'name', { value: Class.name, configurable: true });
  Wrapper.prototype = Class.prototype;
  setPrototypeOf(Wrapper, Class);
  defineProperty(Class.prototype, 'constructor', { value: Wrapper, writable: true, configurable: true });
  return Wrapper;
}

// BSON has no word for some flags of JavaScript.
function withoutForeignFlags([pattern, flags]) {
  return [pattern, typeof flags === 'string' ? flags.replace(/[dguvy]/g, '') : flags];
}

function method(target, name, value) {
  defineProperty(target, name, { value, writable: true, configurable: true });
}

function addBinaryHelpers(Binary, Buffer) {
  method(Binary, 'fromHex', function fromHex(hex, subType = 0) {
    if (typeof hex !== 'string' || !/^(?:[0-9a-fA-F]{2})*$/.test(hex)) throw new TypeError('invalid hex string');
    return new Binary(Buffer.from(hex, 'hex'), Number(subType));
  });
  method(Binary, 'fromBase64', function fromBase64(text, subType = 0) {
    const valid = typeof text === 'string' && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
    if (!valid) throw new TypeError('invalid base64 string');
    return new Binary(Buffer.from(text, 'base64'), Number(subType));
  });
  method(Binary, 'fromText', function fromText(text) {
    return new Binary(Buffer.from(String(text), 'utf8'), 0);
  });
  const bytes = (binary) => Buffer.from(binary.buffer.buffer, binary.buffer.byteOffset, binary.length());
  method(Binary.prototype, 'toHex', function toHex() { return bytes(this).toString('hex'); });
  method(Binary.prototype, 'toBase64', function toBase64() { return bytes(this).toString('base64'); });
  method(Binary.prototype, 'text', function text() { return bytes(this).toString('utf8'); });
}

function addPlainForms(types) {
  method(types.Long.prototype, 'toJSON', function toJSON() {
    const n = this.toNumber();
    return Number.isSafeInteger(n) ? n : this.toString();
  });
  method(types.Decimal128.prototype, 'toJSON', function toJSON() { return this.toString(); });
}

module.exports = function createBsonTypes(bson, Buffer) {
  const types = {};
  for (const name of ['ObjectId', 'Binary', 'UUID', 'Int32', 'Double', 'Long', 'Decimal128', 'Timestamp', 'BSONRegExp',
    'BSONSymbol', 'Code', 'DBRef', 'MinKey', 'MaxKey']) {
    types[name] = callable(bson[name], name === 'BSONRegExp' ? withoutForeignFlags : undefined);
  }
  // Usable as values without a call.
  method(types.MinKey, '_bsontype', 'MinKey');
  method(types.MaxKey, '_bsontype', 'MaxKey');
  types.ObjectID = types.ObjectId;
  addBinaryHelpers(types.Binary, Buffer);
  addPlainForms(types);
  return types;
};
