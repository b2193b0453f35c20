// call: []
// gives: [3, "two"]
exports = function () {
  let found;
  outer: for (let x = 0; x < 5; x++) for (let y = 0; y < 5; y++) if (x * y === 3) { found = x; break outer; }
  switch (found - 1) {
    case 1: return [1, "one"];
    case 0: found = 3; // falls through
    case 2: return [found, "two"];
    default: return [];
  }
};
