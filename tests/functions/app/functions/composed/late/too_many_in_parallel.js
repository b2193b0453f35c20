// call: []
// fails: exceeded max async work queue size of 1000
exports = function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("many");
  for (let i = 0; i < 1001; i++) c.findOne({ i });
};
