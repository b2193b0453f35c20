// call: []
// fails: RangeError: Maximum call stack size exceeded
exports = () => context.functions.execute("composed/recursion/endless");
