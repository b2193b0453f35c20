// call: []
// gives: {"first": [{"_id": 0, "group": "even", "n": 0}], "groups": [{"_id": "even", "n": 3}, {"_id": "odd", "n": 2}]}
exports = function () {
  const items = context.services.get("mongodb-atlas").db("styles").collection("items");
  return {
    first: items.find({}).sort({ _id: 1 }).limit(1),
    groups: items.aggregate([{ $group: { _id: "$group", n: { $sum: 1 } } }, { $sort: { _id: 1 } }]),
  };
};
