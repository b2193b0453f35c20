// call: []
// gives: ["from the callee", [1], true]
exports = function () {
  try {
    context.functions.execute("composed/recursion/callee_error");
  } catch (err) {
    return [err.message, err.extra, err instanceof Error];
  }
};
