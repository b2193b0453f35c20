// call: []
// gives: [true, "function"]
exports = function () {
  const self = (function () { return this; })();
  return [self === globalThis, typeof self.setTimeout];
};
