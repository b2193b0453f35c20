// call: []
// gives: ["undefined", "TypeError"]
exports = function () {
  const service = context.services.get("nothing");
  try {
    service.db("x");
  } catch (err) {
    return [typeof service, err.name];
  }
};
