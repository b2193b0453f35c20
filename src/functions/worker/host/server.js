'use strict';

// Serves the worker protocol on one socket: runs calls in realms, one after the other within a turn of the event loop,
// and writes all answers of a turn at once.

const fs = require('node:fs');
const { performance } = require('node:perf_hooks');
const { FrameReader, FrameWriter, readFields } = require('./frames.js');
const { App } = require('./app.js');
const { RealmPool } = require('./realm.js');

const FLUSH_BYTES = 48 * 1024;
const FLUSH_MILLIS = 2;

class Server {
  #socket;
  #tickets;              // descriptor of the ticket pipe, undefined when calls need none
  #ticket = Buffer.alloc(8);
  #writer;
  #app;
  #realms;
  #calls = new Map();    // id -> {request, pooled}
  #queue = [];           // calls that have not begun: {fields, bytes}
  #head = 0;
  #changed = [];         // requests to look at
  #isScheduled = false;
  #lastFlush = 0;
  #isStopping = false;

  constructor(socket, tickets) {
    this.#socket = socket;
    this.#tickets = tickets;
    this.#writer = new FrameWriter((bytes) => socket.write(bytes), () => this.#schedule());
    const reader = new FrameReader((bytes, start) => this.#onFrame(bytes, start));
    socket.on('data', (chunk) => reader.push(chunk));
  }

  #onFrame(bytes, start) {
    const fields = readFields(bytes, start);
    switch (fields.t) {
      case 'call':
        this.#queue.push({ fields, bytes });
        this.#schedule();
        break;
      case 'opResult': this.#onOperationResult(fields, bytes); break;
      case 'ping': this.#answerPing(fields.n); break;
      case 'cancel': this.#cancel(fields.id); break;
      case 'init': this.#init(bytes, start); break;
      case 'stop':
        this.#isStopping = true;
        this.#schedule();
        break;
      default: break;
    }
  }

  #init(bytes, start) {
    this.#app = new App(bytes, start);
    this.#realms = new RealmPool(this.#app, this.#writer, (request) => this.#onChange(request));
    const frame = this.#writer.begin('ready');
    this.#writer.int64('pid', process.pid);
    this.#writeRemarks('syntaxErrors', this.#app.syntaxErrors());
    this.#writeRemarks('warnings', this.#app.warnings());
    this.#writer.end(frame);
    this.#realms.refillWhenIdle();
  }

  #writeRemarks(name, remarks) {
    this.#writer.open(name, true);
    remarks.forEach((remark, i) => {
      this.#writer.open(String(i));
      this.#writer.string('name', remark.name);
      this.#writer.string('message', remark.message);
      this.#writer.close();
    });
    this.#writer.close();
  }

  #answerPing(n) {
    const frame = this.#writer.begin('pong');
    this.#writer.int64('n', n);
    this.#writer.end(frame);
  }

  #onOperationResult(fields, bytes) {
    const call = this.#calls.get(fields.id);
    if (call === undefined) return;
    call.request.settle(fields, bytes);
  }

  #onChange(request) {
    if (request.isClosed || request.isListed) return;
    request.isListed = true;
    this.#changed.push(request);
    this.#schedule();
  }

  // Runs step() once everything that is due now (microtasks of all realms) has run.
  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.#afterMicrotasks);
  }

  #afterMicrotasks = () => process.nextTick(this.#step);

  #step = () => {
    this.#isScheduled = false;
    const changed = this.#changed;
    if (changed.length > 0) {
      this.#changed = [];
      for (const request of changed) {
        request.isListed = false;
        if (!request.isClosed && request.realm.isComplete(request)) this.#finish(request);
      }
    }
    this.#beginNext();
    if (this.#head === this.#queue.length && this.#changed.length === 0) this.#flush();
    else this.#flushWhenDue();
    if (this.#isStopping && this.#calls.size === 0 && this.#queue.length === 0) this.#socket.end();
  };

  #beginNext() {
    if (this.#head === this.#queue.length) return;
    const { fields, bytes } = this.#queue[this.#head];
    this.#queue[this.#head++] = undefined;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    }
    this.#schedule();
    if (fields.isCancelled || !this.#claim(fields.id)) return;
    const pooled = this.#realms.acquire();
    const request = pooled.realm.begin(fields, bytes);
    this.#calls.set(fields.id, { request, pooled });
    pooled.realm.run(request);
  }

  // Takes the ticket of the call: the server takes back the tickets of calls that it gives to another worker.
  #claim(id) {
    if (this.#tickets === undefined) return true;
    while (this.#claimed < id) {
      try {
        if (fs.readSync(this.#tickets, this.#ticket, 0, 8, null) !== 8) return false;
      } catch (error) {
        if (error.code === 'EAGAIN') return false;
        throw error;
      }
      this.#claimed = this.#ticket.readInt32LE(4) * 4294967296 + this.#ticket.readUInt32LE(0);
    }
    return this.#claimed === id;
  }

  #claimed = 0;

  #finish(request) {
    const { pooled } = this.#calls.get(request.id);
    this.#calls.delete(request.id);
    const mayStillRun = request.failure !== undefined && request.holds > 0;
    request.realm.finish(request);
    this.#realms.release(pooled, mayStillRun ? Number.MAX_SAFE_INTEGER : request.level);
  }

  // The server gave the call up: it ends without an answer of its own.
  #cancel(id) {
    const call = this.#calls.get(id);
    if (call === undefined) {
      for (let i = this.#head; i < this.#queue.length; ++i) {
        if (this.#queue[i].fields.id === id) this.#queue[i].fields.isCancelled = true;
      }
    } else {
      this.#calls.delete(id);
      call.request.realm.end(call.request);
      this.#realms.release(call.pooled, Number.MAX_SAFE_INTEGER);
    }
    const frame = this.#writer.begin('cancelled');
    this.#writer.int64('id', id);
    this.#writer.end(frame);
  }

  #flushWhenDue() {
    if (this.#writer.pos === 0) return;
    if (this.#writer.pos >= FLUSH_BYTES || performance.now() - this.#lastFlush >= FLUSH_MILLIS) this.#flush();
  }

  #flush() {
    this.#writer.flush();
    this.#lastFlush = performance.now();
  }

  // The one running call when there is exactly one: an error without an owner belongs to it.
  onUncaught(error) {
    if (this.#calls.size !== 1) return false;
    const [{ request }] = this.#calls.values();
    request.fail(error);
    return true;
  }

  onUnhandledRejection(reason, promise) {
    for (const { request } of this.#calls.values()) {
      if (!request.realm.owns(promise)) continue;
      const text = reason !== null && typeof reason === 'object' && 'message' in reason ? `${reason.name}: ${reason.message}`
        : String(reason);
      request.addLog(`unhandled rejection: ${text}`.slice(0, 512), true);
      return;
    }
  }
}

module.exports = { Server };
