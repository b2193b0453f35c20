// call: []
// gives: [42, "missing: x", ["a", "b"]]
exports = function () {
  const wrapped = new Proxy({}, { get: (_t, name) => `missing: ${String(name)}` });
  const o = { get answer() { return 42; } };
  return [o.answer, wrapped.x, Reflect.ownKeys({ a: 1, b: 2 })];
};
