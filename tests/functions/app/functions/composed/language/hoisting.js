// call: [2]
// gives: 5
exports = main;
function main(n) { return helper(n) + 1; }
var offset = 2;
function helper(n) { return n + offset; }
