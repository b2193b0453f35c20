'use strict';

// `require` for functions (spec: functions §1.1, 5.2): Node's own modules within the policy, and the packages of the
// app, which are evaluated in this realm afresh for every request.

const { FunctionError } = require('./errors.js');

module.exports = function createModules(host, realm) {
  function notFound(name) {
    return new FunctionError(`Cannot find module '${name}'`, { code: 'MODULE_NOT_FOUND' });
  }

  function failure(file, error) {
    const name = error !== null && typeof error === 'object' && error.name !== undefined ? error.name : 'FunctionError';
    const message = error !== null && typeof error === 'object' && 'message' in error ? error.message : String(error);
    return new FunctionError(`failed to execute source for '${file.shownPath}': ${name}: ${message}`);
  }

  function execute(file, module) {
    const { factory, error } = host.packageFactory(file);
    if (error !== undefined) throw failure(file, new SyntaxError(error.message));
    try {
      const body = factory(...realm.fastGlobals);
      Reflect.apply(body, module.exports, [module.exports, requireFrom(file.path), module, file.path, file.folder]);
    } catch (thrown) {
      throw failure(file, thrown);
    }
  }

  function load(file) {
    const { request } = realm;
    if (request.modules === undefined) request.modules = new Map();
    const known = request.modules.get(file.path);
    if (known !== undefined) return known.exports;
    const module = { exports: {}, id: file.path, filename: file.path, loaded: false, children: [] };
    request.modules.set(file.path, module);
    try {
      if (file.kind === 'json') module.exports = JSON.parse(host.packageText(file));
      else if (file.kind === 'native') throw failure(file, new FunctionError('native add-ons are not available'));
      else execute(file, module);
    } catch (error) {
      request.modules.delete(file.path);
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }

  function builtin(name, isPackage) {
    const { request } = realm;
    if (request.builtins === undefined) request.builtins = new Map();
    const key = isPackage ? `package ${name}` : name;
    let exported = request.builtins.get(key);
    if (exported === undefined) {
      exported = name === 'process' ? realm.process : name === 'timers' ? realm.timers
        : host.builtin(name, request, isPackage);
      request.builtins.set(key, exported);
    }
    return exported;
  }

  // `from`: the requiring package file; undefined for a function's own source.
  function requireFrom(from) {
    const require = (name) => {
      if (typeof name !== 'string' || name === '') throw new TypeError('the module name must be a string');
      const { request } = realm;
      if (request === null || request.isClosed) throw new FunctionError('the function call has ended');
      const plain = name.startsWith('node:') ? name.slice(5) : name;
      if (host.isBuiltin(plain)) {
        const isPackage = from !== undefined;
        if (!host.isAllowed(plain, isPackage)) throw notFound(name);
        request.raiseLevel(host.builtinLevel(plain));
        return builtin(plain, isPackage);
      }
      request.raiseLevel(realm.levels.DISCARD);
      const file = plain === name ? host.resolvePackage(name, from) : undefined;
      if (file === undefined) throw notFound(name);
      return load(file);
    };
    require.resolve = (name) => {
      const file = host.isBuiltin(name) ? { path: name } : host.resolvePackage(name, from);
      if (file === undefined) throw notFound(name);
      return file.path;
    };
    require.cache = {};
    return require;
  }

  return { require: requireFrom(undefined) };
};
