'use strict';

// The app as the `init` frame describes it.

const { readArray, readFields, valueSize } = require('./frames.js');
const { compileFunctionSource, fastGlobalsFor, levelOf, requiredModules } = require('./source.js');
const { Builtins } = require('./builtins.js');
const { Packages } = require('./packages.js');

const DEFAULT_LIMITS = {
  maxPendingOperations: 1000, maxLogLines: 25, maxLogLineBytes: 512, maxResultBytes: 18 * 1024 * 1024,
  maxErrorLength: 64 * 1024,
};

class AppFunction {
  #source;
  #fastGlobals;
  #compiled;

  constructor(name, source, fastGlobals, settings = {}) {
    this.name = name;
    this.file = settings.file || `${name}.js`;
    this.#source = source;
    this.#fastGlobals = fastGlobals;
    this.level = levelOf(source);
    this.isAdHoc = settings.isAdHoc === true;
    this.runAsSystem = settings.runAsSystem === true;
    this.runAsUserId = settings.runAsUserId || '';
    const script = settings.runAsUserIdScriptSource || '';
    this.userScript = script === '' ? undefined : new AppFunction(`${name} (run_as_user_id)`, script, fastGlobals);
  }

  requiredModules() { return requiredModules(this.#source); }

  // {script} or {error: {message, line, column}}.
  compiled() {
    if (this.#compiled === undefined) {
      this.#compiled = compileFunctionSource(this.#source, this.file, this.#fastGlobals);
    }
    return this.#compiled;
  }
}

class App {
  constructor(bytes, start) {
    const init = readFields(bytes, start);
    const functions = init.functions === undefined ? [] : readArray(bytes, init.functions);
    this.fastGlobals = fastGlobalsFor(functions.map((fn) => fn.source));
    this.functions = new Map();
    for (const fn of functions) {
      const entry = new AppFunction(fn.name, fn.source, this.fastGlobals, fn);
      this.functions.set(fn.name, entry);
      if (fn.path && !this.functions.has(fn.path)) this.functions.set(fn.path, entry);
    }
    this.services = new Map();
    for (const { name, type, config, gateway } of init.services === undefined ? [] : readArray(bytes, init.services)) {
      this.services.set(name, { name, type, gateway, config: config === undefined ? undefined : { ...config, bytes } });
    }
    this.values = rawMembers(bytes, init.values);
    this.parts = new Map();
    for (const name of ['app', 'environment']) {
      if (init[name] !== undefined) this.parts.set(name, { ...init[name], bytes });
    }
    const limits = init.limits === undefined ? {} : readFields(bytes, init.limits.at);
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.hasUnknownPackages = init.unknownPackages === true;
    const dependencies = init.dependencies || '';
    this.builtins = new Builtins(dependencies);
    this.packages = new Packages(dependencies, this.fastGlobals);
  }

  adHocFunction(source) {
    return new AppFunction('function', source, this.fastGlobals, { isAdHoc: true });
  }

  // [{name, message}] of the sources that do not parse; the message tells the place.
  syntaxErrors() {
    const result = [];
    for (const fn of new Set(this.functions.values())) {
      for (const part of [fn, fn.userScript]) {
        const error = part === undefined ? undefined : part.compiled().error;
        if (error !== undefined) result.push({ name: fn.name, message: placed(error, part === fn ? '' : 'run_as_user_id script: ') });
      }
    }
    return result;
  }

  // [{name, message}] of modules that functions name and that cannot be loaded.
  warnings() {
    const result = [];
    for (const fn of new Set(this.functions.values())) {
      for (const { module, line } of fn.requiredModules()) {
        const problem = this.#problemOf(module);
        if (problem !== undefined) result.push({ name: fn.name, message: `line ${line}: ${problem}` });
      }
    }
    return result;
  }

  #problemOf(module) {
    const plain = module.startsWith('node:') ? module.slice(5) : module;
    if (this.builtins.isBuiltin(plain)) {
      return this.builtins.isAllowed(plain, false) ? undefined : `the module '${module}' is not available in functions`;
    }
    if (/^\.{0,2}\//.test(module)) return `functions cannot load the file '${module}'; use context.functions.execute`;
    return !this.hasUnknownPackages && this.packages.resolve(module, undefined) === undefined
      ? `the module '${module}' is not installed; name it in functions/package.json` : undefined;
  }
}

function placed({ message, line, column }, what) {
  const place = line === undefined ? '' : `line ${line}, column ${column === undefined ? 1 : column}: `;
  return `${what}${place}${message}`;
}

// Members of a document as {bytes, type, at}, undecoded.
function rawMembers(bytes, value) {
  const result = new Map();
  if (value === undefined) return result;
  let { at } = value;
  const end = at + bytes.readInt32LE(at);
  at += 4;
  while (at < end - 1) {
    const type = bytes[at++];
    const begin = at;
    while (bytes[at] !== 0) ++at;
    const name = bytes.utf8Slice(begin, at++);
    result.set(name, { bytes, type, at });
    at += valueSize(type, bytes, at);
  }
  return result;
}

module.exports = { App };
