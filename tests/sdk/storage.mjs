// Keeps users apart: realm-web remembers users of one app id in one storage.
export class Memory {
  entries = new Map();
  get(key) { return this.entries.get(key) ?? null; }
  set(key, value) { this.entries.set(key, value); }
  remove(key) { this.entries.delete(key); }
  prefix(part) { return new Prefixed(this, part); }
  clear(prefix = "") {
    for (const key of [...this.entries.keys()]) if (key.startsWith(prefix)) this.entries.delete(key);
  }
  addListener() {}
  removeListener() {}
}

class Prefixed {
  constructor(storage, part) { Object.assign(this, { storage, part: `${part}:` }); }
  get(key) { return this.storage.get(this.part + key); }
  set(key, value) { return this.storage.set(this.part + key, value); }
  remove(key) { return this.storage.remove(this.part + key); }
  prefix(part) { return new Prefixed(this, part); }
  clear(prefix = "") { return this.storage.clear(this.part + prefix); }
  addListener() {}
  removeListener() {}
}
