// call: [10]
// gives: 3628800
exports = (n) => (n <= 1 ? 1 : n * context.functions.execute("composed/recursion/factorial", n - 1));
