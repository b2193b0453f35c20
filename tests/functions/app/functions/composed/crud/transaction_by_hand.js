// call: []
// gives: [0, 1]
exports = async function () {
  const client = context.services.get("mongodb-atlas");
  const c = client.db("styles").collection("by_hand");
  await c.deleteMany({});
  const session = client.startSession();
  session.startTransaction();
  await c.insertOne({ _id: 1 }, { session });
  const outside = await c.count({});
  await session.commitTransaction();
  session.endSession();
  return [outside, await c.count({})];
};
