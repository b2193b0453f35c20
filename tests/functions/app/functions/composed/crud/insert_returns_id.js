// call: []
// gives: [24, true, "object"]
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("notes");
  const result = await c.insertOne({ text: "x", at: new Date() });
  const again = await c.findOne({ _id: result.insertedId });
  return [result.insertedId.toString().length, again._id.equals(result.insertedId), typeof result.insertedId];
};
