// call: []
// fails: Cannot find module 'left-pad'
exports = function () {
  return require("left-pad")("x", 3);
};
