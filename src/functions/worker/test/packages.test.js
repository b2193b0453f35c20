'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { WorkerClient, appOf } = require('../testing/client.js');

function write(root, files) {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }
}

async function withPackages(files, functions, run) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'packages-'));
  write(root, files);
  const worker = new WorkerClient(appOf(functions, { dependencies: path.join(root, 'node_modules') }));
  try {
    await run(worker);
  } finally {
    await worker.stop();
    fs.rmSync(root, { recursive: true });
  }
}

test('packages', async (t) => {
  const files = {
    'outside.js': 'module.exports = "outside";',
    'node_modules/counter/index.js': 'let n = 0; module.exports = {next: () => ++n, list: [], isArray: (x) => x instanceof Array};',
    'node_modules/tool/package.json': '{"name": "tool", "exports": {".": "./lib/main.js", "./sub": {"require": "./lib/sub.js"}}}',
    'node_modules/tool/lib/main.js': 'exports.name = "tool"; exports.counter = require("counter"); exports.folder = typeof __dirname; exports.data = require("../data.json");',
    'node_modules/tool/lib/sub.js': 'module.exports = require("fs").readFileSync(require("path").join(__dirname, "..", "data.json"), "utf8");',
    'node_modules/tool/data.json': '{"a": 1}',
    'node_modules/broken/index.js': 'undefined.x();',
    'node_modules/unparsable/index.js': 'let = ;',
    'node_modules/sneaky/index.js': 'module.exports = require("../../outside.js");',
    'node_modules/circle/index.js': 'exports.early = 1; exports.other = require("./other.js");',
    'node_modules/circle/other.js': 'module.exports = require("./index.js").early;',
    'node_modules/modern/package.json': '{"name": "modern", "type": "module", "exports": {"import": "./main.js"}}',
    'node_modules/modern/main.js': 'import * as counter from "counter";\nimport path from "node:path";\nexport const first = counter.next();\nexport default class Thing { get file() { return path.basename(import.meta.url); } }\nexport const late = () => import("./late.js");',
    'node_modules/modern/late.js': 'export const late = "late";',
    'node_modules/both/package.json': '{"name": "both", "exports": {"module-sync": "./a.mjs", "import": "./a.mjs", "require": "./a.cjs"}}',
    'node_modules/both/a.mjs': 'throw new Error("the wrong one");',
    'node_modules/both/a.cjs': 'module.exports = "the right one";',
    'node_modules/deep/package.json': '{"name": "deep", "exports": {"./*": "./lib/*.js", "./private/*": null, "./package.json": "./package.json"}, "imports": {"#inner": {"browser": "./no.js", "default": "./lib/inner.js"}}}',
    'node_modules/deep/lib/inner.js': 'exports.inner = true;',
    'node_modules/deep/lib/x/y.js': 'exports.inner = require("#inner").inner; exports.version = require("deep/package.json").name;',
    'node_modules/shell/index.js': 'const { exec } = require("child_process"); const fs = require("fs"); exports.run = () => exec("id"); exports.write = () => fs.writeFileSync("/tmp/x", ""); exports.read = (file) => fs.promises.readFile(file, "utf8"); exports.own = () => fs.promises.readFile(__filename, "utf8");',
    'node_modules/native/index.node': 'ELF',
    'node_modules/patcher/index.js': 'Array.prototype.patched = 1; globalThis.patched = 1;',
  };
  const functions = {
    count: 'exports = () => { const c = require("counter"); return [c.next(), c.next(), c === require("counter"), c.isArray([])]; };',
    top: 'const tool = require("tool");\nexports = () => [tool.name, tool.folder, tool.data.a, tool.counter.next()];',
    sub: 'import sub from "tool/sub";\nexports = () => sub;',
    hidden: 'exports = () => require("tool/lib/sub.js");',
    broken: 'exports = () => require("broken");',
    unparsable: 'exports = () => require("unparsable");',
    sneaky: 'exports = () => require("sneaky");',
    circle: 'exports = () => require("circle").other;',
    modern: 'exports = async () => { const m = require("modern"); return [m.first, new m.default().file, (await m.late()).late]; };',
    dynamic: 'exports = async () => { const { first } = await import("modern"); return first; };',
    both: 'exports = () => require("both");',
    deep: 'exports = () => { const d = require("deep/x/y"); return [d.inner, d.version]; };',
    deepHidden: 'exports = () => require("deep/private/y");',
    shell: 'exports = async () => { const s = require("shell"); const t = async (f) => { try { return await f(); } catch (e) { return e.message; } }; return [await t(s.run), await t(s.write), await t(() => s.read("/etc/passwd")), (await s.own()).length > 10]; };',
    native: 'exports = () => require("native");',
    patch: 'exports = () => { require("patcher"); return [].patched; };',
    patched: 'exports = () => [typeof [].patched, typeof patched];',
  };
  await withPackages(files, functions, async (worker) => {
    const value = async (name) => (await worker.call(name)).value;
    const message = async (name) => (await worker.call(name)).message;

    await t.test('are loaded once a request and live in the realm of the function', async () => {
      assert.equal(JSON.stringify(await value('count')), '[1,2,true,true]');
      assert.equal(JSON.stringify(await value('count')), '[1,2,true,true]');
    });
    await t.test('may be required at the top level, with their own dependencies', async () => {
      assert.equal(JSON.stringify(await value('top')), '["tool","string",1,1]');
    });
    await t.test('follow their export maps', async () => {
      assert.equal(await value('sub'), '{"a": 1}');
      assert.equal(await message('hidden'), "Cannot find module 'tool/lib/sub.js'");
    });
    await t.test('may be ES modules, also when they are imported late', async () => {
      assert.equal(JSON.stringify(await value('modern')), '[1,"main.js","late"]');
      assert.equal(Number(await value('dynamic')), 1);
    });
    await t.test('are taken as CommonJS when they are both', async () => {
      assert.equal(await value('both'), 'the right one');
    });
    await t.test('have patterns, imports and their own name', async () => {
      assert.equal(JSON.stringify(await value('deep')), '[true,"deep"]');
      assert.equal(await message('deepHidden'), "Cannot find module 'deep/private/y'");
    });
    await t.test('load what they may not use, and fail when they use it', async () => {
      assert.deepEqual(await value('shell'), ["the module 'child_process' is not available in functions",
        'EACCES: permission denied, writeFileSync', "EACCES: permission denied, open '/etc/passwd'", true]);
      assert.match(await message('native'), /native add-ons are not available$/);
    });
    await t.test('may refer to each other in a circle', async () => {
      assert.equal(Number(await value('circle')), 1);
    });
    await t.test('report their failures with their path', async () => {
      assert.match(await message('broken'), /^failed to execute source for 'node_modules\/broken\/index\.js': TypeError: /);
      assert.match(await message('unparsable'), /^failed to execute source for 'node_modules\/unparsable\/index\.js': SyntaxError: /);
    });
    await t.test('cannot load files outside the packages', async () => {
      assert.match(await message('sneaky'), /FunctionError: Cannot find module '\.\.\/\.\.\/outside\.js'$/);
    });
    await t.test('leave no patches behind', async () => {
      assert.equal(Number(await value('patch')), 1);
      assert.equal(JSON.stringify(await value('patched')), '["undefined","undefined"]');
    });
  });
});
