// call: []
// fails: ReferenceError: 'module' is not defined
module.exports = () => 1;
