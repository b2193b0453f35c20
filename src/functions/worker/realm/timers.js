'use strict';

// Timers that belong to the running request: a call is answered after its timeouts have run, and what is left then
// (intervals) is cleared.

const { apply } = Reflect;

module.exports = function createTimers(host, requestOf) {
  const start = host.timers;

  class Timer {
    #request;
    #handle;
    #keepsAlive;
    #stop;
    #entry;

    constructor(request, begin, stop, keepsAlive) {
      this.#request = request;
      this.#stop = stop;
      this.#keepsAlive = keepsAlive;
      this.#entry = { cancel: () => this.close() };
      request.timers.add(this.#entry);
      if (keepsAlive) request.hold();
      this.#handle = begin(this);
    }

    // Takes the timer out of the request; false when it was out already.
    static finish(timer) {
      if (!timer.#request.timers.delete(timer.#entry)) return false;
      if (timer.#keepsAlive) timer.#request.release();
      return true;
    }

    static run(timer, callback, args) {
      const request = timer.#request;
      if (request.isClosed) return;
      try {
        apply(callback, undefined, args);
      } catch (error) {
        request.fail(error);
      }
    }

    close() {
      if (Timer.finish(this)) this.#stop(this.#handle);
      return this;
    }

    ref() { return this.#setKeepsAlive(true); }
    unref() { return this.#setKeepsAlive(false); }
    hasRef() { return this.#keepsAlive; }
    refresh() {
      if (typeof this.#handle.refresh === 'function') this.#handle.refresh();
      return this;
    }

    #setKeepsAlive(value) {
      if (this.#keepsAlive !== value && this.#request.timers.has(this.#entry)) {
        this.#keepsAlive = value;
        if (value) this.#request.hold();
        else this.#request.release();
      }
      return this;
    }
  }

  function requireFunction(callback) {
    if (typeof callback !== 'function') throw new TypeError('the callback must be a function');
  }

  function once(begin, stop) {
    return (callback, delay, args) => {
      requireFunction(callback);
      return new Timer(requestOf(), (timer) => begin(() => {
        if (!Timer.finish(timer)) return;
        Timer.run(timer, callback, args);
      }, delay), stop, true);
    };
  }

  const timeout = once(start.setTimeout, start.clearTimeout);
  const immediate = once((run) => start.setImmediate(run), start.clearImmediate);

  const clear = (timer) => {
    if (timer instanceof Timer) timer.close();
  };

  return {
    setTimeout: (callback, delay, ...args) => timeout(callback, delay, args),
    setImmediate: (callback, ...args) => immediate(callback, 0, args),
    setInterval(callback, delay, ...args) {
      requireFunction(callback);
      const begin = (timer) => start.setInterval(() => Timer.run(timer, callback, args), delay);
      return new Timer(requestOf(), begin, start.clearInterval, false);
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
};
