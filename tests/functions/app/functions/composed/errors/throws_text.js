// call: []
// fails: plain text
exports = () => { throw "plain text"; };
