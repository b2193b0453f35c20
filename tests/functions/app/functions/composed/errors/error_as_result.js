// call: []
// gives: {"message": "a value", "name": "Error"}
exports = () => new Error("a value");
