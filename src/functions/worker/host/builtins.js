'use strict';

// Which of Node's modules functions get, and how (spec: functions §5.2): no servers, processes, threads, writing of
// files, or way to the worker's own socket. A facade is a fresh object for every request, so that a package may patch it.

const { builtinModules } = require('node:module');
const fs = require('node:fs');
const path = require('node:path');
const { LEVELS } = require('./source.js');
const { EventEmitter } = require('node:events');

const ALLOWED = new Set(['assert', 'assert/strict', 'buffer', 'constants', 'crypto', 'dgram', 'dns', 'dns/promises',
  'events', 'fs', 'http', 'http2', 'https', 'net', 'os', 'path', 'path/posix', 'path/win32', 'perf_hooks', 'process',
  'punycode', 'querystring', 'stream', 'stream/promises', 'stream/web', 'string_decoder', 'sys', 'timers', 'tls', 'tty',
  'url', 'util', 'util/types', 'zlib', 'async_hooks', 'timers/promises']);
// Modules that leave nothing running behind.
const PURE = new Set(['assert', 'assert/strict', 'buffer', 'constants', 'os', 'path', 'path/posix', 'path/win32',
  'process', 'punycode', 'querystring', 'string_decoder', 'timers', 'url', 'util', 'util/types']);

const SERVER_MEMBERS = {
  net: ['Server', 'createServer'], tls: ['Server', 'createServer'], http: ['Server', 'createServer'],
  https: ['Server', 'createServer'],
  http2: ['createServer', 'createSecureServer', 'performServerHandshake', 'Http2ServerRequest', 'Http2ServerResponse'],
};
const HIDDEN_MEMBERS = {
  ...SERVER_MEMBERS,
  crypto: ['createDiffieHellman', 'createDiffieHellmanGroup', 'createECDH', 'setEngine', 'setFips'],
  os: ['setPriority', 'userInfo'],
  async_hooks: ['createHook', 'executionAsyncResource'],
  dns: ['setServers', 'setDefaultResultOrder'],
};
// Modules that functions do not have, but that packages may load: what they call of them fails then.
const REFUSED_TO_PACKAGES = new Set(['child_process', 'cluster', 'domain', 'inspector', 'module', 'readline', 'repl', 'v8',
  'vm', 'worker_threads', 'diagnostics_channel', 'trace_events', 'readline/promises', 'inspector/promises', 'wasi']);
// Sockets of `net` that a request may have open at once.
const MAX_SOCKETS = 25;
// Modules whose callbacks the answer waits for.
const CALLBACK_MODULES = new Set(['crypto', 'dns', 'zlib']);

function isBuiltin(name) {
  return builtinModules.includes(name) && !name.startsWith('_');
}

// `fs` of functions reads files of the app's packages only.
function createFileFacade(root) {
  const base = root === '' ? undefined : fs.realpathSync(root);

  function check(file, call) {
    if (typeof file !== 'string' && !(file instanceof URL) && !Buffer.isBuffer(file)) {
      throw new TypeError('the path must be a string');
    }
    const text = file instanceof URL ? require('node:url').fileURLToPath(file) : String(file);
    const refused = () => Object.assign(new Error(`EACCES: permission denied, ${call} '${text}'`),
      { code: 'EACCES', errno: -13, syscall: call, path: text });
    if (base === undefined) throw refused();
    let real = path.resolve(text);
    try {
      real = call === 'lstat' ? path.join(fs.realpathSync(path.dirname(real)), path.basename(real)) : fs.realpathSync(real);
    } catch (error) {
      if (real !== base && !real.startsWith(base + path.sep)) throw refused();
      throw error;
    }
    if (real !== base && !real.startsWith(base + path.sep)) throw refused();
    return real;
  }

  const exists = (file) => {
    try {
      return fs.existsSync(check(file, 'stat'));
    } catch {
      return false;
    }
  };
  return {
    constants: { ...fs.constants },
    accessSync: (file, mode) => fs.accessSync(check(file, 'access'), mode === fs.constants.W_OK ? fs.constants.X_OK : mode),
    existsSync: exists,
    lstatSync: (file, options) => fs.lstatSync(check(file, 'lstat'), options),
    readFileSync(file, options) {
      const real = check(file, 'open');
      const encoding = typeof options === 'string' ? options : options === undefined || options === null ? undefined : options.encoding;
      return fs.readFileSync(real, encoding === undefined ? undefined : { encoding });
    },
    readdirSync: (folder) => fs.readdirSync(check(folder, 'scandir')),
    statSync: (file, options) => fs.statSync(check(file, 'stat'), options),
  };
}

function refusal(call) {
  return Object.assign(new Error(`EACCES: permission denied, ${call}`), { code: 'EACCES', errno: -13, syscall: call });
}

// `fs` for packages, which use more of it than functions: reading with callbacks and promises, and members that refuse.
function packageFiles(files) {
  const later = (name) => (...args) => {
    const callback = args.pop();
    if (typeof callback !== 'function') throw new TypeError('the last argument must be a callback');
    let result;
    let failure = null;
    try {
      result = files[`${name}Sync`](...args);
    } catch (error) {
      failure = error;
    }
    process.nextTick(callback, failure, result);
  };
  const promised = (name) => async (...args) => files[`${name}Sync`](...args);
  const reading = ['access', 'lstat', 'readFile', 'readdir', 'stat'];
  const promises = { constants: files.constants };
  const result = { ...files, promises };
  for (const name of reading) {
    result[name] = later(name);
    promises[name] = promised(name);
  }
  result.exists = (file, callback) => process.nextTick(callback, files.existsSync(file));
  result.realpathSync = Object.assign((file) => file, { native: (file) => file });
  for (const name of Object.keys(fs)) {
    if (typeof fs[name] !== 'function' || Object.hasOwn(result, name) || /^[A-Z_]/.test(name)) continue;
    result[name] = name.endsWith('Sync') || name.startsWith('create') || name.startsWith('watch')
      ? () => { throw refusal(name); }
      : (...args) => { if (typeof args.at(-1) === 'function') process.nextTick(args.at(-1), refusal(name)); };
  }
  for (const name of Object.keys(fs.promises)) {
    if (typeof fs.promises[name] === 'function' && !Object.hasOwn(promises, name)) {
      promises[name] = async () => { throw refusal(name); };
    }
  }
  for (const name of ['Stats', 'Dirent', 'ReadStream', 'WriteStream']) result[name] = class {};
  return result;
}

// A module of which every function fails when it is called.
function refusedModule(name) {
  const members = new Map();
  return new Proxy({}, {
    get(_target, member) {
      if (typeof member !== 'string' || member === 'then' || member === '__esModule' || member === 'default') return undefined;
      if (!members.has(member)) {
        members.set(member, function refused() { throw new Error(`the module '${name}' is not available in functions`); });
      }
      return members.get(member);
    },
  });
}

// Counts a request of http or https as pending work until it is over.
function counted(request, make) {
  return (...args) => {
    const outgoing = make(...args);
    hold(request, outgoing, 'close');
    return outgoing;
  };
}

function hold(request, emitter, event) {
  request.hold();
  emitter.once(event, () => {
    if (!request.isClosed) request.release();
  });
}

function wrapHttp(facade, request) {
  facade.request = counted(request, facade.request);
  const { request: start } = facade;
  facade.get = (...args) => {
    const outgoing = start(...args);
    outgoing.end();
    return outgoing;
  };
}

// A trailing callback is pending work.
function wrapCallbacks(facade, request) {
  for (const name of Object.keys(facade)) {
    const original = facade[name];
    if (typeof original !== 'function' || /^[A-Z]|Sync$|^(?:create|on)/.test(name)) continue;
    const wrapped = function (...args) {
      const last = args.length - 1;
      const callback = args[last];
      if (typeof callback !== 'function') return original.apply(this, args);
      request.hold();
      let isOver = false;
      args[last] = (...results) => {
        if (request.isClosed) return;
        try {
          callback(...results);
        } catch (error) {
          request.fail(error);
        } finally {
          if (!isOver) request.release();
          isOver = true;
        }
      };
      try {
        return original.apply(this, args);
      } catch (error) {
        request.release();
        isOver = true;
        throw error;
      }
    };
    facade[name] = wrapped;
  }
}

// Notes a socket of the request that is being connected. Beyond the limit it fails instead, and this is false.
function takeSocket(request, socket) {
  const { sockets } = request;
  if (sockets.size >= MAX_SOCKETS && !sockets.has(socket)) {
    socket.destroy(new Error(`more than ${MAX_SOCKETS} sockets are open`));
    return false;
  }
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  return true;
}

// A socket must be made by connecting, never from a descriptor of the worker.
function createNetFacade(net, request) {
  class Socket extends net.Socket {
    constructor(options) {
      super(typeof options === 'object' && options !== null ? { allowHalfOpen: options.allowHalfOpen === true } : undefined);
    }

    connect(...args) { return takeSocket(request, this) ? super.connect(...args) : this; }
  }
  const connect = (...args) => {
    const options = typeof args[0] === 'object' && args[0] !== null ? { ...args[0] } : undefined;
    if (options !== undefined) {
      delete options.fd;
      delete options.handle;
      args[0] = options;
    }
    if (request.sockets.size >= MAX_SOCKETS) return new Socket().connect();
    const socket = net.connect(...args);
    takeSocket(request, socket);
    return socket;
  };
  return { Socket, Stream: Socket, connect, createConnection: connect };
}

class Builtins {
  constructor(dependencies) {
    this.files = createFileFacade(dependencies);
  }

  isBuiltin(name) { return isBuiltin(name); }
  isAllowed(name, isPackage) {
    return ALLOWED.has(name) || (isPackage && (REFUSED_TO_PACKAGES.has(name) || name === 'fs/promises'));
  }
  levelOf(name) { return PURE.has(name) ? LEVELS.FULL : LEVELS.DISCARD; }

  // The module for one request, as functions or as their packages see it.
  facade(name, request, isPackage) {
    if (name === 'fs') return isPackage ? packageFiles(this.files) : { ...this.files };
    if (name === 'fs/promises') return packageFiles(this.files).promises;
    if (REFUSED_TO_PACKAGES.has(name)) return refusedModule(name);
    const original = require(`node:${name === 'sys' ? 'util' : name}`);
    if (typeof original === 'function') return original === EventEmitter ? EventEmitter : original;
    const facade = { ...original };
    for (const hidden of HIDDEN_MEMBERS[name] || []) delete facade[hidden];
    if (name === 'os') Object.assign(facade, { homedir: () => '/', tmpdir: () => '/tmp' });
    if (name === 'net') Object.assign(facade, createNetFacade(original, request));
    if (name === 'http' || name === 'https') wrapHttp(facade, request);
    if (CALLBACK_MODULES.has(name)) wrapCallbacks(facade, request);
    return facade;
  }
}

module.exports = { Builtins };
