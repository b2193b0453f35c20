// call: []
// fails: {"code":"E1","details":[1]}
exports = () => { throw { code: "E1", details: [1] }; };
