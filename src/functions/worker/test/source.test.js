'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { LEVELS, compileFunctionSource, convertImports, fastGlobalsFor, levelOf, requiredModules } = require('../host/source.js');

test('a source that reaches no built-in object needs no check of them', () => {
  for (const source of ['exports = (a, b) => a + b;', 'exports = async (x) => { const y = x.name; return [y, 1].map((v) => v); };',
    'exports = (x) => Math.max(x[0], JSON.parse(x.text).n);', 'exports = () => context.values.get("a");']) {
    assert.equal(levelOf(source), LEVELS.GLOBALS, source);
  }
});

test('computed member names reach the prototypes of everyday values', () => {
  for (const source of ['exports = (o, k) => o[k];', 'exports = ({...a}) => a?.[a.b];', 'const {[x]: y} = z;']) {
    assert.equal(levelOf(source), LEVELS.CORE, source);
  }
});

test('globals used as values, this and constructor need the check of all values', () => {
  for (const source of ['Math.max = 1;', 'const o = Object;', 'exports = function () { return this; };', 'a.constructor.x = 1;',
    'Date.now = () => 0;', 'new WeakMap()[k] = 1;', 'BSON.ObjectId.extra = 1;', 'x = [].concat(Array);']) {
    assert.equal(levelOf(source), LEVELS.VALUES, source);
  }
});

test('prototypes and definitions need the full check', () => {
  for (const source of ['Array.prototype.a = 1;', 'Object.defineProperty(a, "b", {});', 'x.__proto__ = y;', 'eval(text);',
    'a["const\\u0072uctor"]', 'Object.freeze(a);']) {
    assert.equal(levelOf(source), LEVELS.FULL, source);
  }
});

test('what can run later is never trusted', () => {
  assert.equal(levelOf('new FinalizationRegistry(f)'), LEVELS.DISCARD);
});

test('names that a source assigns are not made parameters', () => {
  const names = fastGlobalsFor(['Promise = require("other");', 'if (Math == 1 && Map === 2) {}', 'globalThis.Set = x; Date ??= 1;']);
  assert.ok(!names.includes('Promise'));
  assert.ok(!names.includes('Set'));
  assert.ok(!names.includes('Date'));
  assert.ok(names.includes('Math'));
  assert.ok(names.includes('Map'));
});

test('imports become require on the same lines', () => {
  const source = 'import a from "a";\nimport {b, c as d} from \'b/sub\';\nimport * as e from "e";\nimport "f";\n' +
    'import g, {\n  h,\n} from "g";\nexports = 1;';
  const converted = convertImports(source);
  assert.equal(converted.split('\n').length, source.split('\n').length);
  const loaded = [];
  const require = (name) => {
    loaded.push(name);
    return { b: 1, c: 2, h: 3, __esModule: name === 'g', default: 'default of g' };
  };
  const result = new Function('require', `${converted.replace('exports = 1;', 'return [typeof a, b, d, typeof e, g, h];')}`)(require);
  assert.deepEqual(loaded, ['a', 'b/sub', 'e', 'f', 'g']);
  assert.deepEqual(result, ['object', 1, 2, 'object', 'default of g', 3]);
});

test('a source must be complete in itself', () => {
  assert.match(compileFunctionSource('}); (function () {', 'f', []).error.message, /Unexpected token/);
  assert.match(compileFunctionSource('exports = (', 'f', []).error.message, /Unexpected end of input/);
  assert.equal(compileFunctionSource('exports = 1 // no new line', 'f', []).error, undefined);
});

test('errors tell their place', () => {
  const place = (source, file) => {
    const { line, column } = compileFunctionSource(source, file, []).error;
    return [line, column];
  };
  assert.deepEqual(place('exports = () => {\n  let a = ;\n};', 'functions/a.js'), [2, 11]);
  assert.deepEqual(place('import a from "b";\n\n  const = a;', 'functions/a.js'), [3, 9]);
  assert.deepEqual(place('exports = (a: number) => {\n  let b: = 1;\n};', 'functions/a.ts'), [2, 10]);
  assert.deepEqual(place('\nenum A { B }', 'functions/a.ts'), [2, 1]);
});

test('types are removed in place', () => {
  const source = 'interface User { name: string }\nexports = (user: User) => { throw new Error(user.name as string); };';
  const { script } = compileFunctionSource(source, 'functions/a.ts', []);
  assert.throws(() => script.runInThisContext()()({})({ name: 'ada' }), (error) => {
    assert.equal(error.message, 'ada');
    assert.match(error.stack, /functions\/a\.ts:2:\d+/);
    return true;
  });
});

test('modules that a source names are found', () => {
  const source = 'import a from "a";\nimport type { T } from "types";\nconst b = require("b/c"); // require("no")\n/*\n * require("no")\n */\nrequire(name);';
  assert.deepEqual(requiredModules(source), [{ module: 'a', line: 1 }, { module: 'b/c', line: 3 }]);
});
