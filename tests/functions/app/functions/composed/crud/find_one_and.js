// call: []
// gives: [{"_id": 1, "n": 1}, {"_id": 1, "n": 3}, {"_id": 1, "m": 1}, null, {"_id": 1, "m": 1}]
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("modify");
  await c.deleteMany({});
  await c.insertOne({ _id: 1, n: 1 });
  return [
    await c.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }),
    await c.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, { returnNewDocument: true, new: true, returnOriginal: false }),
    await c.findOneAndReplace({ _id: 1 }, { m: 1 }, { returnNewDocument: true }),
    await c.findOneAndDelete({ _id: 2 }),
    await c.findOneAndDelete({ _id: 1 }),
  ];
};
