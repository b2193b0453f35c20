// call: []
// gives: [{"matchedCount": 1, "modifiedCount": 1}, {"matchedCount": 0, "modifiedCount": 0, "upsertedId": "u"}, {"matchedCount": 0, "modifiedCount": 0}, {"deletedCount": 1}]
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("updates");
  await c.deleteMany({});
  await c.insertOne({ _id: "a", n: 1 });
  return [
    await c.updateOne({ _id: "a" }, { $inc: { n: 1 } }),
    await c.updateOne({ _id: "u" }, { $set: { n: 1 } }, { upsert: true }),
    await c.updateMany({ _id: "none" }, { $set: { n: 1 } }),
    await c.deleteOne({ _id: "a" }),
  ];
};
