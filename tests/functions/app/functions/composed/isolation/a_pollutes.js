// call: []
// gives: "polluted"
exports = function () {
  Object.prototype.polluted = "yes";
  Array.prototype.map = () => "stolen";
  JSON.stringify = () => "stolen";
  globalThis.secret = context.user.id;
  Promise.prototype.then = Promise.prototype.then;
  return "polluted";
};
