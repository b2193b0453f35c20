// call: [{"name": "ada", "age": "36", "mail": "ada@example.org"}]
// gives: [{"name": "ada", "age": 36, "mail": "ada@example.org"}, "\"age\" must be greater than or equal to 1"]
exports = function (input) {
  const Joi = require("joi");
  const schema = Joi.object({ name: Joi.string().required(), age: Joi.number().integer().min(1), mail: Joi.string().email() });
  return [schema.validate(input).value, schema.validate({ name: "x", age: 0 }).error.message];
};
