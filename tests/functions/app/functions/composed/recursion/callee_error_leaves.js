// call: []
// fails: {"message":"from the callee","name":"Error","extra":[1]}
exports = () => context.functions.execute("composed/recursion/callee_error");
