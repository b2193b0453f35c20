// call: []
// gives: [null, [{"_id": 1, "n": 5}, {"_id": 2, "x": true}, {"_id": 4, "n": 1}]]
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("bulk");
  await c.deleteMany({});
  const result = await c.bulkWrite([
    { insertOne: { document: { _id: 1, n: 1 } } },
    { insertOne: { _id: 2 } },
    { insertOne: { document: { _id: 3 } } },
    { updateOne: { filter: { _id: 1 }, update: { $set: { n: 5 } } } },
    { replaceOne: { filter: { _id: 2 }, replacement: { x: true } } },
    { updateMany: { filter: { _id: 4 }, update: { $set: { n: 1 } }, upsert: true } },
    { deleteOne: { filter: { _id: 3 } } },
  ], { ordered: true });
  return [result, await c.find().sort({ _id: 1 }).toArray()];
};
