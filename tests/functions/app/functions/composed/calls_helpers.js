// call: [1]
// gives: ["helped 1", [true, "normal"], false]
exports = (a) => [
  context.functions.execute("composed/private_helper", a),
  context.functions.execute("composed/system_helper"),
  context.runningAsSystem(),
];
