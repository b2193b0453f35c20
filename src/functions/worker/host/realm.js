'use strict';

// Makes realms (vm contexts) and keeps clean ones for further requests.

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const vm = require('node:vm');
const { types } = require('node:util');
const { HIDDEN, Snapshot } = require('./integrity.js');
const { LEVELS } = require('./source.js');

const REALM_FOLDER = path.join(__dirname, '..', 'realm');
const WORKER_FOLDER = path.join(__dirname, '..') + path.sep;
const BSON_FILE = require.resolve('bson');
// Realms that wait for requests: enough for all calls that the server gives a worker at once.
const MAX_FREE_REALMS = 64;
const TRIM_MILLIS = 10000;

// Globals of the worker's own realm that functions share.
const SHARED = { Buffer, URL, URLSearchParams, TextEncoder, TextDecoder, AbortController, AbortSignal, Event, EventTarget };
const shared = {
  ...SHARED,
  atob: (text) => atob(String(text)),
  btoa: (text) => btoa(String(text)),
};

// Intrinsics that the realm's own code gets as parameters (host/source.js says why).
const INTRINSIC_NAMES = ['Object', 'Array', 'String', 'Number', 'Boolean', 'Math', 'JSON', 'Date', 'RegExp', 'Map', 'Set',
  'WeakMap', 'Promise', 'Error', 'TypeError', 'Reflect', 'ArrayBuffer', 'BigInt', 'Symbol', 'Proxy', 'Uint8Array',
  'DataView', 'SyntaxError'];

// What the bson package sees as Buffer: Node's, but without the 17 MiB that it would set aside for serialising.
function BsonBuffer() {}
Object.setPrototypeOf(BsonBuffer, Buffer);
BsonBuffer.prototype = Buffer.prototype;
BsonBuffer.alloc = (size, ...rest) => Buffer.alloc(size >= 16 * 1024 * 1024 ? 0 : size, ...rest);

// The modules of a realm, compiled once. Names are those of `require` in realm/.
function compileModules() {
  const compiled = new Map();
  const compile = (name, file) => {
    const parameters = ['exports', 'require', 'module', 'Buffer', 'TextDecoder', ...INTRINSIC_NAMES];
    const text = `(function (${parameters.join(', ')}) {${fs.readFileSync(file, 'utf8')}\n})`;
    compiled.set(name, new vm.Script(text, { filename: file }));
  };
  compile('bson', BSON_FILE);
  for (const file of fs.readdirSync(REALM_FOLDER)) compile(file, path.join(REALM_FOLDER, file));
  return compiled;
}

const modules = compileModules();
const INTRINSICS = new vm.Script(`[${INTRINSIC_NAMES.join(', ')}]`);
const GLOBAL = new vm.Script('globalThis');
const CORE_SCRIPT = new vm.Script('[Object, Array, String, Number, Boolean, Function, Date, Promise, RegExp, Map, Set, Error,' +
  ' TypeError, RangeError, ReferenceError, (async () => 0).constructor, (function* () {}).constructor]');
const HIDDEN_SCRIPT = new vm.Script(HIDDEN);

// What functions can reach of the worker's own realm must not carry changes from one request to another. Its intrinsics
// stay writable (Node itself writes over inherited members), but nothing can be added to them.
for (const value of [Object, Function, Array, Promise, Error, Uint8Array, Object.getPrototypeOf(Uint8Array)]) {
  Object.preventExtensions(value.prototype);
}
for (const value of Object.values(SHARED)) {
  Object.freeze(value.prototype);
  if (value !== Buffer) Object.freeze(value);
}

function loadRealmModule(context, name) {
  const intrinsics = INTRINSICS.runInContext(context);
  const loaded = new Map();
  const load = (id) => {
    const key = id.replace(/^\.\//, '');
    if (key === 'crypto') return crypto;   // bson's source of random bytes
    if (loaded.has(key)) return loaded.get(key).exports;
    const module = { exports: {} };
    loaded.set(key, module);
    const buffer = key === 'bson' ? BsonBuffer : Buffer;
    modules.get(key).runInContext(context)(module.exports, load, module, buffer, TextDecoder, ...intrinsics);
    return module.exports;
  };
  return { main: load(name), bson: load('bson') };
}

// What the code in realm/ needs of the worker.
function hostFor(app, writer, onChange) {
  return {
    Buffer, URL, crypto, http, https, process, writer, sink: writer, onChange, levels: LEVELS, globals: shared,
    isOwnFrame: (line) => line.includes(WORKER_FOLDER) || /\(?node:internal\//.test(line),
    isDate: types.isDate, isRegExp: types.isRegExp, fastGlobalNames: app.fastGlobals,
    timers: { setTimeout, clearTimeout, setImmediate, clearImmediate, setInterval, clearInterval },
    isBuiltin: (name) => app.builtins.isBuiltin(name),
    isAllowed: (name, isPackage) => app.builtins.isAllowed(name, isPackage),
    builtinLevel: (name) => app.builtins.levelOf(name),
    builtin: (name, request, isPackage) => app.builtins.facade(name, request, isPackage),
    resolvePackage: (name, from) => app.packages.resolve(name, from),
    packageText: (file) => app.packages.text(file),
    adHocFunction: (source) => app.adHocFunction(source),
  };
}

class PooledRealm {
  #snapshot;

  constructor(app, writer, onChange) {
    const sandbox = {};
    const context = vm.createContext(sandbox, { name: 'functions' });
    const global = GLOBAL.runInContext(context);
    const host = hostFor(app, writer, onChange);
    const instantiate = ({ script, error }) => (error === undefined ? { factory: script.runInContext(context) } : { error });
    host.functionFactory = (fn) => instantiate(fn.compiled());
    host.packageFactory = (file) => instantiate(app.packages.compiled(file));
    const { main, bson } = loadRealmModule(context, 'index.js');
    this.realm = new main.Realm(app, host, bson, global);
    const foreign = [...Object.values(SHARED), Object.prototype, Function.prototype];
    const core = [...CORE_SCRIPT.runInContext(context), ...main.handleClasses, ...this.realm.bsonClasses()];
    this.#snapshot = new Snapshot(sandbox, global, { roots: HIDDEN_SCRIPT.runInContext(context), core, foreign });
  }

  isIntact(level) { return this.#snapshot.isIntact(level); }
}

class RealmPool {
  #make;
  #free = [];
  #refill = false;
  #wanted;
  #unused = 0;     // free realms that were not needed since the last trimming

  // `wanted`: clean realms to keep ready.
  constructor(app, writer, onChange, wanted = 2) {
    this.#make = () => new PooledRealm(app, writer, onChange);
    this.#wanted = wanted;
    setInterval(() => this.#trim(), TRIM_MILLIS).unref();
  }

  #trim() {
    const surplus = Math.min(this.#unused, this.#free.length - this.#wanted);
    if (surplus > 0) this.#free.splice(0, surplus);
    this.#unused = this.#free.length;
  }

  acquire() {
    const pooled = this.#free.pop();
    if (pooled === undefined) return this.#make();
    this.#unused = Math.min(this.#unused, this.#free.length);
    return pooled;
  }

  // Takes a realm back after a request; `level` says how far the request may have reached.
  release(pooled, level) {
    if (this.#free.length < MAX_FREE_REALMS && pooled.isIntact(level)) this.#free.push(pooled);
    else if (this.#free.length < this.#wanted) this.refillWhenIdle();
  }

  // Makes the next realm before it is needed.
  refillWhenIdle() {
    if (this.#refill) return;
    this.#refill = true;
    setImmediate(() => {
      this.#refill = false;
      if (this.#free.length >= this.#wanted) return;
      this.#free.push(this.#make());
      this.refillWhenIdle();
    });
  }
}

module.exports = { RealmPool };
