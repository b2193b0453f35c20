'use strict';

// The server's side of the worker protocol for tests.

const { spawn } = require('node:child_process');
const path = require('node:path');
const BSON = require('bson');
const { FrameReader } = require('../host/frames.js');

class WorkerClient {
  #child;
  #pending = new Map();
  #lastId = 0;
  #ready;

  // `app`: members of `init`; `serve(frame)` answers op, session and getUser frames with {value} or {error}.
  constructor(app, serve = () => ({ error: { message: 'no data here' } })) {
    this.#child = spawn(process.execPath, [path.join(__dirname, '..', 'main.js'), '--no-tickets'],
      { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
    this.socket = this.#child.stdio[3];
    this.exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.frames = [];
    this.#ready = new Promise((resolve) => this.#pending.set('ready', resolve));
    const reader = new FrameReader((bytes, start) => {
      const length = bytes.readInt32LE(start);
      const frame = BSON.deserialize(bytes.subarray(start, start + length), { promoteValues: false, promoteLongs: false });
      this.#onFrame(frame, serve);
    });
    this.socket.on('data', (chunk) => reader.push(chunk));
    this.socket.on('error', () => {});
    this.send({ t: 'init', ...app });
  }

  ready() { return this.#ready; }

  send(frame) { this.socket.write(BSON.serialize(frame, { ignoreUndefined: false })); }

  async #onFrame(frame, serve) {
    this.frames.push(frame);
    const id = frame.id === undefined ? undefined : Number(frame.id);
    switch (frame.t) {
      case 'ready': this.#pending.get('ready')(frame); break;
      case 'pong': this.#pending.get('pong')(frame); break;
      case 'result': case 'error': case 'cancelled':
        this.#pending.get(id)(frame);
        this.#pending.delete(id);
        break;
      default: {
        const answer = await serve(frame);
        if (answer !== undefined) this.send({ t: 'opResult', id: frame.id, op: frame.op, ...answer });
      }
    }
  }

  start(members) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve) => this.#pending.set(id, resolve));
    this.send({ t: 'call', id: BSON.Long.fromNumber(id), args: [], user: { id: 'u1', type: 'normal', data: {} }, request: {},
      asSystem: false, ...members });
    return { id, answer };
  }

  call(name, ...args) { return this.start({ function: name, args }).answer; }

  ping(n) {
    const answer = new Promise((resolve) => this.#pending.set('pong', resolve));
    this.send({ t: 'ping', n: BSON.Long.fromNumber(n) });
    return answer;
  }

  async stop() {
    this.socket.end();
    await this.exited;
  }
}

// An app of functions given as {name: source}.
function appOf(sources, more = {}) {
  const functions = Object.entries(sources).map(([name, source]) =>
    (typeof source === 'string' ? { name, source } : { name, ...source }));
  return { app: { id: 'a', name: 'test' }, environment: { tag: '', values: {} }, values: {}, functions,
    services: [{ name: 'mongodb-atlas', type: 'atlas' }], limits: {}, ...more };
}

module.exports = { WorkerClient, appOf };
