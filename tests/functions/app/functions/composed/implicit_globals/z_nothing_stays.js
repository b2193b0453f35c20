// call: []
// gives: ["undefined", "undefined", "undefined"]
exports = () => [typeof formatPrice, typeof [].sum, typeof {}.isEmptyObject];
