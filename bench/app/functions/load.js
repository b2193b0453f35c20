// Fills bench.items with documents that no client role may write as a whole.
exports = async function (documents) {
  const items = context.services.get("mongodb-atlas").db("bench").collection("items");
  const { insertedIds } = await items.insertMany(documents);
  return insertedIds.length;
};
