// call: []
// gives: ["undefined", [2], "{}", "undefined"]
// call: []
// gives: ["undefined", [2], "{}", "undefined"]
exports = () => [typeof {}.polluted, [1].map((n) => n + 1), JSON.stringify({}), typeof secret];
