'use strict';

// The app's npm packages: resolution and compiled files. Nothing outside the app's node_modules folder is loaded.

const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const { compilePackageSource } = require('./source.js');

class Packages {
  #root;                     // real path of node_modules, undefined without packages
  #fastGlobals;
  #resolved = new Map();     // "<from folder>\0<name>" -> file or undefined
  #compiled = new Map();     // path -> {script} or {error}
  #texts = new Map();

  constructor(folder, fastGlobals) {
    this.#root = folder === '' || !fs.existsSync(folder) ? undefined : fs.realpathSync(folder);
    this.#fastGlobals = fastGlobals;
  }

  // The file that `name` means in the file `from` (undefined: in a function), or undefined.
  resolve(name, from) {
    if (this.#root === undefined) return undefined;
    const isRelative = /^\.{0,2}\//.test(name) || name === '.' || name === '..';
    if (from === undefined && isRelative) return undefined;
    const base = from === undefined ? path.join(path.dirname(this.#root), 'function.js') : from;
    const key = `${path.dirname(base)}\0${name}`;
    if (!this.#resolved.has(key)) this.#resolved.set(key, this.#find(name, base));
    return this.#resolved.get(key);
  }

  #find(name, base) {
    let found;
    try {
      found = fs.realpathSync(createRequire(base).resolve(name));
    } catch {
      return undefined;
    }
    if (!found.startsWith(this.#root + path.sep)) return undefined;
    const extension = path.extname(found);
    const kind = extension === '.json' ? 'json' : extension === '.node' || extension === '.mjs' ? 'other' : 'script';
    const shownPath = path.join('node_modules', path.relative(this.#root, found));
    return { path: found, folder: path.dirname(found), shownPath, kind };
  }

  text(file) {
    if (!this.#texts.has(file.path)) this.#texts.set(file.path, fs.readFileSync(file.path, 'utf8'));
    return this.#texts.get(file.path);
  }

  compiled(file) {
    let result = this.#compiled.get(file.path);
    if (result === undefined) {
      result = compilePackageSource(fs.readFileSync(file.path, 'utf8'), file.path, this.#fastGlobals);
      this.#compiled.set(file.path, result);
    }
    return result;
  }
}

module.exports = { Packages };
