// call: []
// gives: ["EvalError", "undefined"]
exports = function () {
  let failure;
  try {
    Buffer.from("x").constructor.constructor("return process")();
  } catch (err) {
    failure = err;
  }
  return [failure.name, typeof (function () {}).constructor("return this.process.mainModule")()];
};
