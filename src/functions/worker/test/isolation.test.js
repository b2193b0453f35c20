'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const BSON = require('bson');
const { WorkerClient, appOf } = require('../testing/client.js');

// Each leaves something behind; `probe` says whether it is still there.
const TRACES = {
  global_name: ['exports = () => { leaked = 1; };', 'typeof leaked'],
  global_member: ['exports = () => { globalThis.leaked = 1; };', 'typeof globalThis.leaked'],
  replaced_global: ['exports = () => { console = {log: () => "mine"}; };', 'typeof console.log("x")'],
  replaced_function: ['exports = () => { Math.max = () => "mine"; };', 'typeof Math.max(1)', 'number'],
  prototype: ['exports = () => { Array.prototype.leaked = 1; };', 'typeof [].leaked'],
  computed_prototype: ['exports = (k) => { const o = {}; o[k[0]][k[1]] = 1; };', 'typeof ({}).leaked', undefined, [['__proto__', 'leaked']]],
  computed_constructor: ['exports = (k) => { [][k[0]][k[1]] = 1; };', 'typeof Array.leaked', undefined, [['constructor', 'leaked']]],
  api_class: ['exports = () => { context.services.constructor.prototype.leaked = 1; };', 'typeof context.services.leaked'],
  computed_api_class: ['exports = (k) => { context.functions[k[0]][k[1]] = 1; };', 'typeof context.functions.leaked', undefined, [['__proto__', 'leaked']]],
  bson_class: ['exports = (k) => { BSON.ObjectId.prototype.leaked = 1; };', 'typeof new BSON.ObjectId().leaked'],
  hidden_prototype: ['exports = () => { Object.getPrototypeOf(function* () {}).leaked = 1; };', 'typeof (function* () {}).leaked'],
  getter: ['exports = () => { const f = Math.max; Object.defineProperty(Math, "max", {get: () => f, configurable: true}); };',
    'typeof Object.getOwnPropertyDescriptor(Math, "max").get'],
  attribute: ['exports = () => { Object.defineProperty(JSON, "parse", {writable: false}); };',
    'Object.getOwnPropertyDescriptor(JSON, "parse").writable', true],
  deleted: ['exports = () => { delete Array.prototype.flat; };', 'typeof [].flat', 'function'],
  method_member: ['exports = () => { [].map.leaked = 1; };', 'typeof [].map.leaked'],
  frozen: ['exports = () => { Object.preventExtensions(Array.prototype); };', 'Object.isExtensible(Array.prototype)', true],
  evaluated: ['exports = () => { (0, eval)("var leaked = 1"); };', 'typeof leaked'],
  value: ['exports = () => { context.values.get("list").push(1); };', 'context.values.get("list").length', 0],
  app: ['exports = () => { context.app.leaked = 1; };', 'typeof context.app.leaked'],
  interval: ['exports = () => { setInterval(() => { leaked = 1; }, 1); };', 'typeof leaked'],
  builtin_module: ['exports = () => { require("path").leaked = 1; };', 'typeof require("path").leaked'],
  shared_class: ['exports = () => { Buffer.prototype.leaked = 1; URL.leaked = 1; };', 'typeof Buffer.from("").leaked + typeof URL.leaked', 'undefinedundefined'],
};

test('no request sees what another has changed', async (t) => {
  const functions = {};
  for (const [name, [source, probe]] of Object.entries(TRACES)) {
    functions[name] = source;
    functions[`probe_${name}`] = `exports = () => ${probe};`;
  }
  const worker = new WorkerClient(appOf(functions, { values: { list: [] } }));
  t.after(() => worker.stop());
  for (const [name, [, , expected = 'undefined', args = []]] of Object.entries(TRACES)) {
    const changed = await worker.call(name, ...args);
    assert.equal(changed.t, 'result', `${name}: ${changed.message}`);
    // Every realm that is kept may be the next one used.
    for (let i = 0; i < 3; ++i) {
      const { value } = await worker.call(`probe_${name}`);
      const plain = BSON.EJSON.serialize({ value }).value;
      assert.equal(plain, expected, name);
    }
  }
});

test('requests at the same time have realms of their own', async (t) => {
  const worker = new WorkerClient(appOf({
    slow: 'exports = async (n) => { shared = n; await new Promise((done) => setTimeout(done, 20)); return shared; };',
  }));
  t.after(() => worker.stop());
  const answers = await Promise.all([1, 2, 3, 4, 5].map((n) => worker.call('slow', n)));
  assert.deepEqual(answers.map((answer) => Number(answer.value)), [1, 2, 3, 4, 5]);
});
