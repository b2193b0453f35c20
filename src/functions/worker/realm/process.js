'use strict';

// The part of `process` that functions and their packages may use.

const { apply } = Reflect;
const MAX_LINE = 512;

module.exports = function createProcess(host, requestOf) {
  const { process } = host;
  const nothing = () => undefined;

  function hrtime(previous) {
    const [seconds, nanos] = previous === undefined ? process.hrtime() : process.hrtime(Array.from(previous));
    return [seconds, nanos];
  }
  hrtime.bigint = () => process.hrtime.bigint();

  function nextTick(callback, ...args) {
    if (typeof callback !== 'function') throw new TypeError('the callback must be a function');
    const request = requestOf();
    process.nextTick(() => {
      if (request.isClosed) return;
      try {
        apply(callback, undefined, args);
      } catch (error) {
        request.fail(error);
      }
    });
  }

  // What is written becomes lines of the console.
  function stream(fd, isError) {
    return {
      fd, isTTY: false, writable: true, columns: 80,
      write(text) {
        requestOf().addLog(`${text}`.replace(/\n$/, '').slice(0, MAX_LINE), isError);
        return true;
      },
      end: nothing, on: nothing, once: nothing, removeListener: nothing, emit: nothing,
    };
  }

  const subset = {
    version: process.version, versions: { ...process.versions }, platform: process.platform, arch: process.arch,
    title: 'node', argv: [], execArgv: [], env: {}, release: { name: 'node' }, browser: false,
    hrtime, nextTick, cwd: () => '/', uptime: () => process.uptime(), emitWarning: nothing,
    stdout: stream(1, false), stderr: stream(2, true), stdin: { fd: 0, isTTY: false }, pid: 1, ppid: 0, config: { variables: {} },
    memoryUsage: () => ({ rss: 0, heapTotal: 0, heapUsed: 0, external: 0, arrayBuffers: 0 }), umask: () => 0o22,
  };
  for (const name of ['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners', 'prependListener']) {
    subset[name] = () => subset;
  }
  subset.listeners = () => [];
  subset.listenerCount = () => 0;
  subset.emit = () => false;
  // Packages tell Node.js by it.
  Object.defineProperty(subset, Symbol.toStringTag, { value: 'process', configurable: true });
  return subset;
};
