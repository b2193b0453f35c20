// call: ["a1b22"]
// gives: [["a1", "b22"], 2]
exports = function (text) {
  const token = /([a-z])(\d+)/y;
  const found = [];
  let match;
  while ((match = token.exec(text)) !== null) found.push(match[0]);
  return [found, [..."😀é"].length];
};
