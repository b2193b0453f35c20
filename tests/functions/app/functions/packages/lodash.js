// call: [[{"user": "b", "age": 3}, {"user": "a", "age": 1}, {"user": "b", "age": 2}]]
// gives: [["a", "b", "b"], {"a": 1, "b": 2}, "Hello Ada!", {"a": {"b": 1, "c": 2}}, [1, 2]]
exports = function (people) {
  const _ = require("lodash");
  const cloneDeep = require("lodash/cloneDeep");
  return [
    _.map(_.sortBy(people, ["user", "age"]), "user"),
    _.mapValues(_.groupBy(people, "user"), "length"),
    _.template("Hello <%= name %>!")({ name: "Ada" }),
    _.merge(cloneDeep({ a: { b: 1 } }), { a: { c: 2 } }),
    _.uniq([1, 2, 1]),
  ];
};
