'use strict';

// What find and aggregate return: asks the server when its documents are first needed. Awaiting or returning a cursor
// gives the array of its documents (spec: functions §7.3).

const { defineProperty } = Object;

class Cursor {
  #request;
  #fetch;
  #stages;
  #documents;
  #next = 0;

  // `fetch(stages)` gives a promise of the documents; `stages` are the modifiers {sort, skip, limit}.
  constructor(request, fetch, stages) {
    request.hasCursors = true;
    this.#request = request;
    this.#fetch = fetch;
    this.#stages = stages;
  }

  #modify(name, value) {
    if (this.#documents !== undefined) throw new TypeError(`cannot set ${name} after the cursor was read`);
    this.#stages[name] = value;
    return this;
  }

  sort(specification) { return this.#modify('sort', specification); }
  skip(count) { return this.#modify('skip', count); }
  limit(count) { return this.#modify('limit', count); }

  #load() {
    if (this.#documents === undefined) this.#documents = this.#fetch(this.#stages);
    return this.#documents;
  }

  // The documents that next() has not given out.
  async toArray() {
    const documents = await this.#load();
    const rest = this.#next === 0 ? documents : documents.slice(this.#next);
    this.#next = documents.length;
    return rest;
  }

  async next() {
    const documents = await this.#load();
    return this.#next < documents.length ? documents[this.#next++] : undefined;
  }

  async hasNext() {
    const documents = await this.#load();
    return this.#next < documents.length;
  }

  async forEach(callback) {
    for (const document of await this.toArray()) callback(document);
  }

  async *[Symbol.asyncIterator]() {
    for (const document of await this.toArray()) yield document;
  }

  then(onFulfilled, onRejected) {
    return this.toArray().then((documents) => {
      // Code that awaits the cursor first and reads it afterwards goes on working.
      defineProperty(documents, 'toArray', { value: async () => documents, configurable: true, writable: true });
      return documents;
    }).then(onFulfilled, onRejected);
  }

  catch(onRejected) { return this.then(undefined, onRejected); }
  finally(callback) { return this.toArray().finally(callback); }
}

// Replaces the cursors inside a result by their documents. `seen` guards against circles.
async function resolveCursors(value, seen = new Set()) {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Cursor) return value.toArray();
  if (seen.has(value) || typeof value._bsontype === 'string' || ArrayBuffer.isView(value)) return value;
  const prototype = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== null && prototype !== Object.prototype) return value;
  seen.add(value);
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (typeof member !== 'object' || member === null) continue;
    const resolved = await resolveCursors(member, seen);
    if (resolved !== member) value[key] = resolved;
  }
  return value;
}

module.exports = { Cursor, resolveCursors };
