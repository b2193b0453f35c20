// call: []
// gives: [201, true]
exports = function () {
  const response = {};
  const map = new Map();
  context.functions.execute("composed/recursion/by_reference_helper", response, map);
  return [response.status, map.get("seen")];
};
