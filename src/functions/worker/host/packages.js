'use strict';

// The app's npm packages: resolution and compiled files. Nothing outside the app's node_modules folder is loaded.

const fs = require('node:fs');
const path = require('node:path');
const { Resolver } = require('./resolve.js');
const { compilePackageSource } = require('./source.js');

class Packages {
  #root;                     // real path of node_modules, undefined without packages
  #resolver;
  #fastGlobals;
  #resolved = new Map();     // "<from folder>\0<name>" -> file or undefined
  #compiled = new Map();     // path -> {script} or {error}
  #texts = new Map();

  constructor(folder, fastGlobals) {
    this.#root = folder === '' || !fs.existsSync(folder) ? undefined : fs.realpathSync(folder);
    this.#resolver = this.#root === undefined ? undefined : new Resolver(this.#root);
    this.#fastGlobals = fastGlobals;
  }

  // The file that `name` means in the file `from` (undefined: in a function), or undefined.
  resolve(name, from) {
    if (this.#root === undefined) return undefined;
    const folder = from === undefined ? undefined : path.dirname(from);
    const key = `${folder === undefined ? '' : folder}\0${name}`;
    if (!this.#resolved.has(key)) this.#resolved.set(key, this.#find(name, folder));
    return this.#resolved.get(key);
  }

  #find(name, folder) {
    let found;
    try {
      const file = this.#resolver.resolve(name, folder);
      if (file === undefined) return undefined;
      found = fs.realpathSync(file);
    } catch {
      return undefined;
    }
    if (!found.startsWith(this.#root + path.sep)) return undefined;
    const shownPath = path.join('node_modules', path.relative(this.#root, found));
    return { path: found, folder: path.dirname(found), shownPath, kind: this.#kindOf(found) };
  }

  #kindOf(file) {
    switch (path.extname(file)) {
      case '.json': return 'json';
      case '.node': return 'native';
      case '.mjs': return 'module';
      case '.cjs': return 'script';
      default: return this.#resolver.typeOf(path.dirname(file)) === 'module' ? 'module' : 'script';
    }
  }

  text(file) {
    if (!this.#texts.has(file.path)) this.#texts.set(file.path, fs.readFileSync(file.path, 'utf8'));
    return this.#texts.get(file.path);
  }

  compiled(file) {
    let result = this.#compiled.get(file.path);
    if (result === undefined) {
      result = compilePackageSource(fs.readFileSync(file.path, 'utf8'), file.shownPath, this.#fastGlobals,
        file.kind === 'module');
      this.#compiled.set(file.path, result);
    }
    return result;
  }
}

module.exports = { Packages };
