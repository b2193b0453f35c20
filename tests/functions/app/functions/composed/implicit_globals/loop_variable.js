// call: [3]
// gives: [3, 3]
exports = function (n) {
  for (i = 0; i < n; i++) {}
  return [i, global.i];
};
