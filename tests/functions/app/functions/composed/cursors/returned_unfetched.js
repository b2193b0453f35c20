// call: []
// gives: [{"_id": 0, "n": 0}, {"_id": 2, "n": 20}, {"_id": 4, "n": 40}]
exports = function () {
  return context.services.get("mongodb-atlas").db("styles").collection("items").find({ group: "even" }, { n: 1 }).sort({ _id: 1 });
};
