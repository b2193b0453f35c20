// call: []
// fails: undefined
exports = () => Promise.reject();
