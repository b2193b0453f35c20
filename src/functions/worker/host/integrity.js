'use strict';

// Decides whether a realm is as it was before a request ran in it. A snapshot holds every object that the realm's
// global object leads to. Built-in functions that are plain methods are frozen in themselves (they can still be
// replaced where they are members); all other objects are compared.

const { LEVELS } = require('./source.js');

const { freeze, getPrototypeOf, getOwnPropertyDescriptor, isExtensible, isFrozen } = Object;
const { ownKeys } = Reflect;

// Intrinsics that no global names.
const HIDDEN = `[
  function* () {}, async function () {}, async function* () {}, (function* () {})(), (async function* () {})(),
  [][Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ''[Symbol.iterator](),
  ''.matchAll(/a/g), new Map().entries(), Object.getPrototypeOf(Uint8Array),
].map((value) => Object.getPrototypeOf(value)).concat([Object.getPrototypeOf(Uint8Array)])`;

function isObject(value) {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isPlainMethod(value) {
  return typeof value === 'function' &&
    ownKeys(value).every((key) => key === 'length' || key === 'name' || key === 'arguments' || key === 'caller');
}

function sameDescriptor(a, b) {
  return b !== undefined && Object.is(a.value, b.value) && a.get === b.get && a.set === b.set &&
    a.writable === b.writable && a.enumerable === b.enumerable && a.configurable === b.configurable;
}

class Snapshot {
  #objects = [];      // {object, prototype, isExtensible, keys, dataKeys, dataValues, descriptors}
  #core = [];         // those of them that values of everyday kinds lead to
  #sandbox;
  #sandboxKeys;
  #sandboxValues;

  // `roots`: objects to begin with besides the globals; `core`: constructors of everyday values; `foreign`: objects of
  // the worker's own realm that the realm's globals name.
  constructor(sandbox, global, { roots, core, foreign }) {
    const seen = new Set(foreign);
    const isCore = new Set(core.flatMap((value) => [value, value.prototype]));
    const waiting = [global, ...roots, ...core];
    while (waiting.length > 0) {
      const object = waiting.pop();
      if (!isObject(object) || seen.has(object)) continue;
      seen.add(object);
      waiting.push(getPrototypeOf(object));
      const entry = this.#describe(object, waiting);
      if (isPlainMethod(object)) freeze(object);
      if (isFrozen(object)) continue;
      this.#objects.push(entry);
      if (isCore.has(object)) this.#core.push(entry);
    }
    this.#sandbox = sandbox;
    this.#sandboxKeys = ownKeys(sandbox);
    this.#sandboxValues = this.#sandboxKeys.map((key) => sandbox[key]);
  }

  #describe(object, waiting) {
    const entry = { object, prototype: getPrototypeOf(object), isExtensible: isExtensible(object), keys: ownKeys(object),
      dataKeys: [], dataValues: [], descriptors: [] };
    for (const key of entry.keys) {
      const descriptor = getOwnPropertyDescriptor(object, key);
      entry.descriptors.push(descriptor);
      if ('value' in descriptor) {
        entry.dataKeys.push(key);
        entry.dataValues.push(descriptor.value);
        waiting.push(descriptor.value);
      } else {
        waiting.push(descriptor.get, descriptor.set);
      }
    }
    return entry;
  }

  isIntact(level) {
    if (level >= LEVELS.DISCARD || !this.#hasSameGlobals()) return false;
    switch (level) {
      case LEVELS.GLOBALS: return true;
      case LEVELS.CORE: return this.#core.every(hasSameValues);
      case LEVELS.VALUES: return this.#objects.every(hasSameValues);
      default: return this.#objects.every(isSame);
    }
  }

  #hasSameGlobals() {
    const keys = ownKeys(this.#sandbox);
    if (keys.length !== this.#sandboxKeys.length) return false;
    for (let i = 0; i < keys.length; ++i) {
      if (keys[i] !== this.#sandboxKeys[i] || this.#sandbox[keys[i]] !== this.#sandboxValues[i]) return false;
    }
    return true;
  }
}

function hasSameValues({ object, prototype, keys, dataKeys, dataValues }) {
  if (ownKeys(object).length !== keys.length || getPrototypeOf(object) !== prototype) return false;
  for (let i = 0; i < dataKeys.length; ++i) {
    if (!Object.is(object[dataKeys[i]], dataValues[i])) return false;
  }
  return true;
}

function isSame(entry) {
  const { object, prototype, keys, descriptors } = entry;
  if (ownKeys(object).length !== keys.length || getPrototypeOf(object) !== prototype) return false;
  if (isExtensible(object) !== entry.isExtensible) return false;
  for (let i = 0; i < keys.length; ++i) {
    if (!sameDescriptor(descriptors[i], getOwnPropertyDescriptor(object, keys[i]))) return false;
  }
  return true;
}

module.exports = { HIDDEN, Snapshot };
