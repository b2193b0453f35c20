// call: []
// gives: {"_id": 1, "long": 5, "double": 5.0}
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("numbers");
  await c.deleteMany({});
  await c.insertOne({ _id: 1, long: BSON.Long(5), double: BSON.Double(5) });
  return c.findOne({ _id: 1 });
};
