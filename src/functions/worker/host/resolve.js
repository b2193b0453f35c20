'use strict';

// Finds the file that a module name means: the resolution of Node.js for `require` (relative paths, node_modules,
// `exports` and `imports` of package.json), below one folder of packages.

const fs = require('node:fs');
const path = require('node:path');

const CONDITIONS = new Set(['node', 'require', 'default']);
const EXTENSIONS = ['.js', '.json', '.cjs', '.node', '.mjs'];
const MAX_DEPTH = 32;      // of nested targets in export maps

class Resolver {
  #root;                   // real path of the folder node_modules
  #base;                   // the folder that holds it; packages are looked for no higher
  #manifests = new Map();  // folder -> parsed package.json or undefined

  constructor(root) {
    this.#root = root;
    this.#base = path.dirname(root);
  }

  // The file's path as found (links unresolved), or undefined. `folder`: of the requiring file; undefined: a function.
  resolve(name, folder) {
    if (name.includes('\0')) return undefined;
    if (name.startsWith('#')) return folder === undefined ? undefined : this.#import(name, folder);
    if (/^\.{0,2}\//.test(name) || name === '.' || name === '..') {
      return folder === undefined ? undefined : this.#load(path.resolve(folder, name), /(?:^|\/)\.{0,2}\/?$/.test(name));
    }
    return this.#package(name, folder === undefined ? this.#base : folder);
  }

  // 'module' when a .js file of the folder is an ES module.
  typeOf(folder) {
    for (let at = folder; at.length >= this.#root.length; at = path.dirname(at)) {
      const manifest = this.#manifest(at);
      if (manifest !== undefined) return manifest.type;
    }
    return undefined;
  }

  #manifest(folder) {
    if (!this.#manifests.has(folder)) {
      let manifest;
      try {
        manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
      } catch {
        manifest = undefined;
      }
      this.#manifests.set(folder, typeof manifest === 'object' && manifest !== null ? manifest : undefined);
    }
    return this.#manifests.get(folder);
  }

  #package(name, folder) {
    const match = /^(@[^/]+\/[^/]+|[^/@][^/]*)(?:\/(.*))?$/.exec(name);
    if (match === null) return undefined;
    const [, packageName, subpath] = match;
    const own = this.#ownPackage(packageName, folder);
    if (own !== undefined) return this.#exported(own.folder, own.manifest, subpath);
    for (let at = folder; ; at = path.dirname(at)) {
      const candidate = path.basename(at) === 'node_modules' ? path.join(at, packageName)
        : path.join(at, 'node_modules', packageName);
      if (isFolder(candidate)) {
        const found = this.#inPackage(candidate, subpath);
        if (found !== undefined || this.#manifest(candidate) !== undefined) return found;
      }
      const file = path.basename(at) === 'node_modules' ? undefined : this.#load(path.join(at, 'node_modules', name), false);
      if (file !== undefined) return file;
      if (at === this.#base || at.length <= this.#base.length) return undefined;
    }
  }

  // A package may name itself when it has an export map.
  #ownPackage(packageName, folder) {
    for (let at = folder; at.length > this.#root.length; at = path.dirname(at)) {
      const manifest = this.#manifest(at);
      if (manifest === undefined) continue;
      return manifest.name === packageName && hasExports(manifest) ? { folder: at, manifest } : undefined;
    }
    return undefined;
  }

  #inPackage(folder, subpath) {
    const manifest = this.#manifest(folder);
    if (manifest !== undefined && hasExports(manifest)) return this.#exported(folder, manifest, subpath);
    return this.#load(subpath === undefined ? folder : path.join(folder, subpath), subpath === undefined);
  }

  #exported(folder, manifest, subpath) {
    const key = subpath === undefined ? '.' : `./${subpath}`;
    let map = manifest.exports;
    if (typeof map === 'string' || Array.isArray(map) || !Object.keys(map).some((name) => name.startsWith('.'))) map = { '.': map };
    return this.#mapped(map, key, folder);
  }

  #import(name, folder) {
    for (let at = folder; at.length > this.#root.length; at = path.dirname(at)) {
      const manifest = this.#manifest(at);
      if (manifest === undefined) continue;
      const map = manifest.imports;
      return typeof map === 'object' && map !== null ? this.#mapped(map, name, at) : undefined;
    }
    return undefined;
  }

  // An entry of an export or import map: exact, else the pattern with the longest beginning.
  #mapped(map, key, folder) {
    if (Object.hasOwn(map, key) && !key.includes('*')) return this.#target(map[key], undefined, folder, 0);
    let best;
    for (const pattern of Object.keys(map)) {
      const star = pattern.indexOf('*');
      const [head, tail] = star < 0 ? [pattern, ''] : [pattern.slice(0, star), pattern.slice(star + 1)];
      if (star < 0 && !pattern.endsWith('/')) continue;
      if (!key.startsWith(head) || !key.endsWith(tail) || key.length < head.length + tail.length) continue;
      if (best === undefined || head.length > best.head.length) best = { pattern, head, tail };
    }
    if (best === undefined) return undefined;
    const middle = key.slice(best.head.length, key.length - best.tail.length);
    return this.#target(map[best.pattern], middle, folder, 0);
  }

  #target(target, middle, folder, depth) {
    if (depth > MAX_DEPTH || target === null || target === undefined) return undefined;
    if (typeof target === 'string') {
      const filled = middle === undefined ? target
        : target.includes('*') ? target.replaceAll('*', middle) : target + middle;
      if (!filled.startsWith('./')) return this.#package(filled, folder);
      const file = path.join(folder, filled);
      return file.startsWith(folder + path.sep) && isFile(file) ? file : undefined;
    }
    if (Array.isArray(target)) {
      for (const item of target) {
        const found = this.#target(item, middle, folder, depth + 1);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    for (const condition of Object.keys(target)) {
      if (!CONDITIONS.has(condition)) continue;
      const found = this.#target(target[condition], middle, folder, depth + 1);
      if (found !== undefined || target[condition] === null) return found;
    }
    // A package of ES modules only.
    return Object.hasOwn(target, 'import') ? this.#target(target.import, middle, folder, depth + 1) : undefined;
  }

  // A path as a file, with an extension, or as a folder.
  #load(file, isFolderOnly) {
    if (!isFolderOnly) {
      if (isFile(file)) return file;
      for (const extension of EXTENSIONS) {
        if (isFile(file + extension)) return file + extension;
      }
    }
    if (!isFolder(file)) return undefined;
    const manifest = this.#manifest(file);
    if (manifest !== undefined && typeof manifest.main === 'string' && manifest.main !== '') {
      const main = path.join(file, manifest.main);
      for (const candidate of [main, ...EXTENSIONS.map((extension) => main + extension),
        ...EXTENSIONS.map((extension) => path.join(main, `index${extension}`))]) {
        if (isFile(candidate)) return candidate;
      }
    }
    for (const extension of EXTENSIONS) {
      const index = path.join(file, `index${extension}`);
      if (isFile(index)) return index;
    }
    return undefined;
  }
}

function hasExports(manifest) {
  return manifest.exports !== undefined && manifest.exports !== null;
}

function isFile(file) {
  const status = fs.statSync(file, { throwIfNoEntry: false });
  return status !== undefined && status.isFile();
}

function isFolder(file) {
  const status = fs.statSync(file, { throwIfNoEntry: false });
  return status !== undefined && status.isDirectory();
}

module.exports = { Resolver };
