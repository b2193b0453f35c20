// Keeps its worker's thread busy for so many milliseconds.
exports = function (milliseconds) {
  const end = Date.now() + milliseconds;
  let turns = 0;
  while (Date.now() < end) ++turns;
  return turns;
};
