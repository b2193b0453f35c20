// call: []
// gives: 1
// call: []
// gives: 1
let counter = 0;
exports = () => ++counter;
