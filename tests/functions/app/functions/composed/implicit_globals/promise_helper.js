// call: []
// gives: [1, "late"]
Promise.delay = (ms, value) => new Promise((resolve) => setTimeout(() => resolve(value), ms));
exports = async () => [await Promise.delay(1, 1), await Promise.race([Promise.delay(5, "late"), Promise.delay(500, "no")])];
