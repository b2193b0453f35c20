// call: []
// gives: [true, 11000, "MongoError"]
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("unique");
  await c.deleteMany({});
  await c.insertOne({ _id: 1 });
  try {
    await c.insertOne({ _id: 1 });
  } catch (err) {
    return [/E11000/.test(err.message), err.code, err.name];
  }
};
