'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const { WorkerClient, appOf } = require('../testing/client.js');

test('a waiting call leaves the worker responsive', async (t) => {
  const worker = new WorkerClient(appOf({ wait: 'exports = () => new Promise(() => {});', quick: 'exports = () => "ok";' }));
  t.after(() => worker.stop());
  const { id, answer } = worker.start({ function: 'wait' });
  assert.equal((await worker.ping(3)).n.toString(), '3');
  assert.equal((await worker.call('quick')).value, 'ok');
  worker.send({ t: 'cancel', id });
  assert.equal((await answer).t, 'cancelled');
});

test('a value that is being sent cannot start another operation', async (t) => {
  const source = `exports = async () => {
    const things = context.services.get('mongodb-atlas').db('d').collection('c');
    const inner = [];
    await things.insertOne({a: {toBSON() { inner.push(things.insertOne({}).catch((e) => e.message)); return 1; }}});
    return Promise.all(inner);
  };`;
  const worker = new WorkerClient(appOf({ reenter: source }), () => ({ value: null }));
  t.after(() => worker.stop());
  const answer = await worker.call('reenter');
  assert.deepEqual(answer.value, ['a value that is being sent must not start another operation']);
});

test('operations of a call are answered in any order', async (t) => {
  const source = `exports = async () => {
    const things = context.services.get('mongodb-atlas').db('d').collection('c');
    return Promise.all([30, 1, 15].map((n) => things.findOne({n})));
  };`;
  const serve = async ({ args }) => {
    const n = Number(args.filter.n);
    await new Promise((done) => setTimeout(done, n));
    return { value: n };
  };
  const worker = new WorkerClient(appOf({ many: source }), serve);
  t.after(() => worker.stop());
  assert.deepEqual((await worker.call('many')).value.map(Number), [30, 1, 15]);
});

test('a result in parts is put together', async (t) => {
  const worker = new WorkerClient(appOf({
    all: 'exports = () => context.services.get("mongodb-atlas").db("d").collection("c").find({}).toArray();',
  }), (frame) => {
    worker.send({ t: 'opResult', id: frame.id, op: frame.op, value: [{ n: 1 }], more: true });
    worker.send({ t: 'opResult', id: frame.id, op: frame.op, value: [{ n: 2 }], more: true });
    return { value: [{ n: 3 }] };
  });
  t.after(() => worker.stop());
  assert.deepEqual((await worker.call('all')).value.map(({ n }) => Number(n)), [1, 2, 3]);
});

test('the stack shows the function, not the worker', async (t) => {
  const worker = new WorkerClient(appOf({ 'folder/fail': '\n\nexports = () => { throw new Error("x"); };' }));
  t.after(() => worker.stop());
  const { stack } = await worker.call('folder/fail');
  assert.match(stack, /folder\/fail\.js:3:/);
  assert.doesNotMatch(stack, /worker\/realm|node:internal/);
});

test('stop lets a running call end', async () => {
  const worker = new WorkerClient(appOf({ slow: 'exports = () => new Promise((done) => setTimeout(() => done("end"), 50));' }));
  const { answer } = worker.start({ function: 'slow' });
  await worker.ping(1);
  worker.send({ t: 'stop' });
  assert.equal((await answer).value, 'end');
  assert.equal(await worker.exited, 0);
});
