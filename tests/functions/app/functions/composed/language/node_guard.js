// call: []
// gives: "ok"
exports = function () { return "ok"; };
if (typeof module !== "undefined") {
  module.exports = exports;
}
