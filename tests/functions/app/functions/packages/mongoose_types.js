// call: []
// gives: ["65f000000000000000000001", true, false, true]
exports = async function () {
  const { Types } = require("mongoose");
  const id = new Types.ObjectId("65f000000000000000000001");
  const c = context.services.get("mongodb-atlas").db("packages").collection("ids");
  await c.deleteMany({});
  await c.insertOne({ _id: id });
  const found = await c.findOne({ _id: BSON.ObjectId("65f000000000000000000001") });
  return [id.toHexString(), Types.ObjectId.isValid(id), Types.ObjectId.isValid("no"), found !== null];
};
