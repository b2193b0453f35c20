// call: []
// fails: function 'composed/errors/no_export' does not export a function
const helper = () => 1;
