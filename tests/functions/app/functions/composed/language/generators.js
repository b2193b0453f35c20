// call: [5]
// gives: [[0, 1, 1, 2, 3], [10, 20]]
function* fibonacci(n) {
  let [a, b] = [0, 1];
  while (n-- > 0) {
    yield a;
    [a, b] = [b, a + b];
  }
}
async function* slowly(...values) {
  for (const value of values) yield new Promise((resolve) => setTimeout(resolve, 1, value));
}
exports = async function (n) {
  const late = [];
  for await (const value of slowly(10, 20)) late.push(value);
  return [[...fibonacci(n)], late];
};
