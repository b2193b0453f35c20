// call: []
// fails: ReferenceError: 'nowhere' is not defined
exports = () => nowhere.x;
