// call: []
// fails: TypeError: cannot convert a circular structure to BSON
exports = function () {
  const a = {};
  a.self = a;
  return a;
};
