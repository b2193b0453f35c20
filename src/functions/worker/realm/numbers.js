'use strict';

// Which BSON number a JavaScript number came from (spec: functions §4.1). A value that passes through untouched leaves
// as it came: a member of a decoded object that still holds its value, or an equal number under the same name. A
// number that a function returns is also recalled by its value alone, when that came in one kind only.

const INT32 = 1;
const INT64 = 2;
const DOUBLE = 3;

const MAX_RECORDS = 200000;
const AMBIGUOUS = { kind: 0, n: NaN, low: 0, high: 0 };

// The kind in which a computed number leaves.
function defaultKind(n) {
  if ((n | 0) === n) return n !== 0 || 1 / n > 0 ? INT32 : DOUBLE;
  return Number.isSafeInteger(n) ? INT64 : DOUBLE;
}

function sameOrigin(a, b) {
  return a.kind === b.kind && a.low === b.low && a.high === b.high;
}

class NumberMemory {
  constructor() {
    this.containers = new WeakMap();  // object -> Map(key -> origin), members of a kind other than the default one
    this.hasSpecial = false;          // some decoded number is not of its default kind
    this.sawInt32Argument = false;
    this.sawInt64Argument = false;
    this.keys = [];                   // every decoded number: name, origin
    this.origins = [];
    this.indexed = 0;                 // how many of them the maps below know
    this.byKey = null;
    this.byValue = null;
  }

  // A decoded number. `container` is the object or array that holds it, undefined for an argument itself.
  record(container, key, n, kind, low, high) {
    if (n === 0 && 1 / n < 0) return;
    if (kind === defaultKind(n)) {
      if (this.origins.length < MAX_RECORDS) {
        this.keys.push(key);
        this.origins.push(n);
      }
      return;
    }
    this.hasSpecial = true;
    const origin = { kind, n, low, high };
    if (container !== undefined) {
      let members = this.containers.get(container);
      if (members === undefined) this.containers.set(container, (members = new Map()));
      members.set(key, origin);
    }
    if (this.origins.length < MAX_RECORDS) {
      this.keys.push(key);
      this.origins.push(origin);
    }
  }

  // The members of a container that need care, or undefined.
  membersOf(container) {
    return this.hasSpecial ? this.containers.get(container) : undefined;
  }

  // The origin that a number written as `key` has, or undefined for a computed one. Array elements share the name 0.
  recall(members, key, n, byValueToo) {
    return this.hasSpecial ? this.originOf(members, key, n, byValueToo) : undefined;
  }

  // The same, also where every number came in its default kind.
  originOf(members, key, n, byValueToo) {
    if (members !== undefined) {
      const origin = members.get(key);
      if (origin !== undefined && Object.is(origin.n, n)) return origin;
    }
    if (this.byKey === null || this.indexed < this.origins.length) this.index();
    const named = this.byKey.get(typeof key === 'number' ? 0 : key);
    const byName = named === undefined ? undefined : named.get(n);
    if (byName !== undefined) return byName === AMBIGUOUS ? undefined : byName;
    if (!byValueToo && Math.abs(n) <= Number.MAX_SAFE_INTEGER) return undefined;
    const byValue = this.byValue.get(n);
    return byValue === undefined || byValue === AMBIGUOUS ? undefined : byValue;
  }

  index() {
    if (this.byKey === null) {
      this.byKey = new Map();
      this.byValue = new Map();
    }
    for (; this.indexed < this.origins.length; ++this.indexed) {
      const entry = this.origins[this.indexed];
      const origin = typeof entry === 'number' ? { kind: defaultKind(entry), n: entry, low: 0, high: 0 } : entry;
      const name = typeof this.keys[this.indexed] === 'number' ? 0 : this.keys[this.indexed];
      let named = this.byKey.get(name);
      if (named === undefined) this.byKey.set(name, (named = new Map()));
      remember(named, origin);
      remember(this.byValue, origin);
    }
  }

  // Integral computed numbers of the result are int64 when all integer arguments were.
  resultsAreInt64() {
    return this.sawInt64Argument && !this.sawInt32Argument;
  }
}

function remember(map, origin) {
  const known = map.get(origin.n);
  if (known === undefined) {
    map.set(origin.n, origin);
  } else if (known !== AMBIGUOUS && !sameOrigin(known, origin)) {
    map.set(origin.n, AMBIGUOUS);
  }
}

module.exports = { INT32, INT64, DOUBLE, NumberMemory, defaultKind };
