// call: []
// fails: {"message":"boom","name":"Error"}
exports = () => { throw new Error("boom"); };
