// call: []
// gives: [["even", "odd"], 5, 2, 5]
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("items");
  return [(await c.distinct("group", {})).sort(), await c.count(), await c.countDocuments({ group: "odd" }), await c.estimatedDocumentCount()];
};
