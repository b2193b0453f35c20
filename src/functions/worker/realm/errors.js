'use strict';

// What a thrown value says to the client (spec: functions §2.4).

const { keys: keysOf } = Object;

const LANGUAGE_ERRORS = new Set(['ReferenceError', 'TypeError', 'RangeError', 'SyntaxError', 'EvalError', 'URIError',
  'AggregateError']);

// A failure that Restitch reports: of a service, of `require`, of a limit. Its text reaches the client as it is.
class FunctionError extends Error {
  constructor(message, members) {
    super(message);
    if (members !== undefined) Object.assign(this, members);
  }
}
Object.defineProperty(FunctionError.prototype, 'name', { value: 'FunctionError', writable: true, configurable: true });

const LABELS = Symbol('labels');

// A failure of a data source, with the labels that the source gave it.
class MongoError extends FunctionError {
  constructor(message, members, labels) {
    super(message, members);
    Object.defineProperty(this, LABELS, { value: labels });
  }

  get errorLabels() { return [...this[LABELS]]; }
  hasErrorLabel(label) { return this[LABELS].includes(label); }
}
Object.defineProperty(MongoError.prototype, 'name', { value: 'MongoError', writable: true, configurable: true });

// Whether the value is an error of any realm.
function isErrorObject(value) {
  if (value instanceof Error) return true;
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Error]';
}

// An error as an object: message, name, then its own enumerable members.
function errorMembers(error) {
  const members = { message: String(error.message), name: String(error.name) };
  for (const key of keysOf(error)) {
    if (key !== 'message' && key !== 'name' && key !== 'stack') members[key] = error[key];
  }
  return members;
}

function languageText(error) {
  const message = String(error.message);
  if (error.name === 'ReferenceError') {
    const missing = /^([\p{L}\p{N}_$]+) is not defined$/u.exec(message);
    if (missing !== null) return `ReferenceError: '${missing[1]}' is not defined`;
  }
  return `${error.name}: ${message}`;
}

// `stringify` writes Extended JSON.
function textOf(thrown, stringify) {
  try {
    if (typeof thrown === 'string') return thrown;
    if (thrown instanceof FunctionError) return String(thrown.message);
    if (isErrorObject(thrown)) {
      return LANGUAGE_ERRORS.has(thrown.name) ? languageText(thrown) : stringify(errorMembers(thrown));
    }
    if (typeof thrown === 'object' && thrown !== null) return stringify(thrown);
    return String(thrown);
  } catch {
    return 'the function threw a value that cannot be shown';
  }
}

// The stack without the worker's own frames, which `isOwn(line)` tells.
function stackOf(thrown, isOwn) {
  try {
    if (!isErrorObject(thrown) || typeof thrown.stack !== 'string') return '';
    return thrown.stack.split('\n').filter((line) => !isOwn(line)).join('\n');
  } catch {
    return '';
  }
}

module.exports = { FunctionError, MongoError, errorMembers, isErrorObject, stackOf, textOf };
