// call: []
// gives: {"_id": 1, "lines": [{"k": "a", "n": 0}, {"k": "b", "n": 9}]}
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("orders");
  await c.deleteMany({});
  await c.insertOne({ _id: 1, lines: [{ k: "a", n: 0 }, { k: "b", n: 0 }] });
  await c.updateOne({ _id: 1 }, { $set: { "lines.$[line].n": 9 } }, { arrayFilters: [{ "line.k": "b" }] });
  return c.findOne({ _id: 1 });
};
