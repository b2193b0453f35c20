'use strict';

// The part of `process` that functions and their packages may use.

const { apply } = Reflect;

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

  const subset = {
    version: process.version, versions: { ...process.versions }, platform: process.platform, arch: process.arch,
    title: 'node', argv: [], execArgv: [], env: {}, release: { name: 'node' }, browser: false,
    hrtime, nextTick, cwd: () => '/', uptime: () => process.uptime(), emitWarning: nothing, umask: () => 0o22,
  };
  for (const name of ['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners', 'prependListener']) {
    subset[name] = () => subset;
  }
  subset.listeners = () => [];
  subset.listenerCount = () => 0;
  subset.emit = () => false;
  return subset;
};
