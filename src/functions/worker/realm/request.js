'use strict';

// One call of a function and everything that belongs to it: its values, its data operations, its pending work.

const { NumberMemory } = require('./numbers.js');
const { FunctionError, MongoError } = require('./errors.js');

const RealmPromise = Promise;
const MAX_STREAMED_LINES = 1000;
const NO_FIELDS = Object.freeze({});

// `link` is what it needs of the worker: {writer, encoder, decoder, timers}. `header` are the fields of the `call` frame.
class Request {
  constructor(link, limits, header, onChange) {
    this.link = link;
    this.limits = limits;
    this.header = header;
    this.id = header.id;
    this.memory = new NumberMemory();
    this.timers = new Set();
    this.sockets = new Set();         // open ones of `net`
    this.isClosed = false;
    this.failure = undefined;         // {error}: the call fails with it, whatever the function returns
    this.holds = 0;                   // pieces of work the answer waits for
    this.lastOperation = 0;
    this.lastSession = 0;
    this.waiting = new Map();         // operation number -> {resolve, reject, parts}
    this.logs = [];
    this.errorLogs = [];
    this.streamedLines = 0;
    this.modules = undefined;         // loaded packages of this request
    this.builtins = undefined;
    this.hasCursors = false;
    this.outcome = undefined;         // {value} or {thrown} once the function has returned
    this.httpResponse = undefined;
    this.level = 0;                   // how the realm must be checked afterwards (host/integrity.js)
    this.onChange = onChange;         // told when `holds` falls to zero or the call has failed
  }

  raiseLevel(level) {
    if (level > this.level) this.level = level;
  }

  hold() {
    ++this.holds;
    if (this.holds > this.limits.maxPendingOperations) {
      const error = new FunctionError(
        `exceeded max async work queue size of ${this.limits.maxPendingOperations}`);
      this.fail(error);
      --this.holds;
      throw error;
    }
  }

  release() {
    --this.holds;
    if (this.holds === 0) this.onChange(this);
  }

  // A promise that is kept after `millis`; the answer waits for it.
  pause(millis) {
    this.hold();
    return new RealmPromise((resolve) => {
      const { setTimeout, clearTimeout } = this.link.timers;
      const handle = setTimeout(() => {
        this.timers.delete(entry);
        this.release();
        resolve();
      }, millis);
      const entry = { cancel: () => clearTimeout(handle) };
      this.timers.add(entry);
    });
  }

  // Ends the call with an error that no promise carries.
  fail(error) {
    if (this.failure === undefined) {
      this.failure = { error };
      this.onChange(this);
    }
  }

  addLog(line, isError) {
    if (this.limits.streamsLogs) this.#stream(line, isError);
    this.#keep(this.logs, line);
    if (isError) this.#keep(this.errorLogs, line);
  }

  // Shows a line at once, to whoever develops the function.
  #stream(line, isError) {
    if (this.isClosed || ++this.streamedLines > MAX_STREAMED_LINES) return;
    const { writer } = this.link;
    const frame = writer.begin('log');
    writer.int64('id', this.id);
    writer.string('line', line);
    writer.bool('isError', isError);
    writer.end(frame);
  }

  #keep(lines, line) {
    if (lines.length < this.limits.maxLogLines) {
      lines.push(line);
    } else if (!this.header.keepFirstLogs) {
      lines.shift();
      lines.push(line);
    }
  }

  // Sends a frame that the server answers with `opResult`. `write` adds its members.
  #send(kind, write) {
    this.hold();
    const operation = ++this.lastOperation;
    const { writer } = this.link;
    try {
      const frame = writer.begin(kind);
      try {
        writer.int64('id', this.id);
        writer.int64('op', operation);
        write(writer);
        writer.end(frame);
      } catch (error) {
        writer.abort(frame);
        throw error;
      }
    } catch (error) {
      this.release();
      throw error;
    }
    return new RealmPromise((resolve, reject) => {
      this.waiting.set(operation, { resolve, reject, parts: undefined });
    });
  }

  // One data operation under `identity` {asSystem, userId}; a promise of its result. Members of `args` that are
  // undefined are left out.
  operate(identity, service, action, database, collection, args, session) {
    if (this.isClosed) throw new FunctionError('the function call has ended');
    return this.#send('op', (writer) => {
      writer.string('service', service);
      writer.string('action', action);
      if (database !== undefined) writer.string('database', database);
      if (collection !== undefined) writer.string('collection', collection);
      writer.open('args');
      for (const key in args) {
        if (args[key] !== undefined) this.link.encoder.argument(key, args[key], this.memory);
      }
      writer.close();
      if (session !== undefined) writer.int64('session', session);
      writer.bool('asSystem', identity.asSystem);
      if (!identity.asSystem && identity.userId !== undefined) writer.string('userId', identity.userId);
    });
  }

  sessionAction(service, action, session) {
    return this.#send('session', (writer) => {
      writer.string('action', action);
      writer.int64('session', session);
      writer.string('service', service);
    });
  }

  // The user object of a function that runs as a fixed user.
  fetchUser(userId) {
    return this.#send('getUser', (writer) => writer.string('userId', userId));
  }

  // An `opResult` frame arrived; `fields` are its members in `bytes`.
  settle(fields, bytes) {
    const entry = this.waiting.get(fields.op);
    if (entry === undefined) return;
    try {
      if (fields.error !== undefined) {
        this.waiting.delete(fields.op);
        entry.reject(this.#errorOf(fields, bytes));
      } else {
        this.#settleValue(entry, fields, bytes);
      }
    } finally {
      if (!this.waiting.has(fields.op)) this.release();
    }
  }

  #settleValue(entry, fields, bytes) {
    const value = fields.value === undefined ? undefined
      : this.link.decoder.decode(bytes, fields.value.type, fields.value.at, this.memory);
    if (fields.more) {
      entry.parts = entry.parts === undefined ? value : entry.parts.concat(value);
      return;
    }
    this.waiting.delete(fields.op);
    entry.resolve(entry.parts === undefined ? value : entry.parts.concat(value));
  }

  #errorOf(fields, bytes) {
    const error = this.link.decoder.decode(bytes, fields.error.type, fields.error.at, new NumberMemory());
    const members = {};
    if (error.code !== undefined) members.code = error.code;
    if (error.codeName !== undefined) members.codeName = error.codeName;
    const isMongo = typeof error.code === 'number';
    const labels = error.labels === undefined ? [] : error.labels;
    return isMongo || labels.length > 0 ? new MongoError(error.message, members, labels) : new FunctionError(error.message, members);
  }

  // After the answer: nothing of the call may run any more.
  close() {
    this.isClosed = true;
    for (const timer of this.timers) timer.cancel();
    this.waiting.clear();
    this.header = NO_FIELDS;
    this.bytes = undefined;
  }
}

module.exports = { Request };
