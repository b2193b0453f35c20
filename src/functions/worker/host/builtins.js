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
  os: ['setPriority', 'userInfo', 'homedir'],
  async_hooks: ['createHook', 'executionAsyncResource'],
  dns: ['setServers', 'setDefaultResultOrder'],
};
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

// A socket must be made by connecting, never from a descriptor of the worker.
function createNetFacade(net) {
  class Socket extends net.Socket {
    constructor(options) {
      super(typeof options === 'object' && options !== null ? { allowHalfOpen: options.allowHalfOpen === true } : undefined);
    }
  }
  const connect = (...args) => {
    const options = typeof args[0] === 'object' && args[0] !== null ? { ...args[0] } : undefined;
    if (options !== undefined) {
      delete options.fd;
      delete options.handle;
      args[0] = options;
    }
    return net.connect(...args);
  };
  return { Socket, Stream: Socket, connect, createConnection: connect };
}

class Builtins {
  constructor(dependencies) {
    this.files = createFileFacade(dependencies);
  }

  isBuiltin(name) { return isBuiltin(name); }
  isAllowed(name) { return ALLOWED.has(name); }
  levelOf(name) { return PURE.has(name) ? LEVELS.FULL : LEVELS.DISCARD; }

  // The module for one request.
  facade(name, request) {
    if (name === 'fs') return { ...this.files };
    const original = require(`node:${name === 'sys' ? 'util' : name}`);
    if (typeof original === 'function') return original === EventEmitter ? EventEmitter : original;
    const facade = { ...original };
    for (const hidden of HIDDEN_MEMBERS[name] || []) delete facade[hidden];
    if (name === 'net') Object.assign(facade, createNetFacade(original));
    if (name === 'http' || name === 'https') wrapHttp(facade, request);
    if (CALLBACK_MODULES.has(name)) wrapCallbacks(facade, request);
    return facade;
  }
}

module.exports = { Builtins };
