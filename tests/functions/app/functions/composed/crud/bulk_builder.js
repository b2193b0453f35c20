// call: []
// gives: 2
exports = async function () {
  const c = context.services.get("mongodb-atlas").db("styles").collection("builder");
  await c.deleteMany({});
  const bulk = c.initializeUnorderedBulkOp();
  for (const word of ["a", "b", "a"]) bulk.find({ _id: word }).upsert().updateOne({ $inc: { n: 1 } });
  await bulk.execute();
  return c.count({});
};
