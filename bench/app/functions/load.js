// Fills a collection with documents that no client role may write as a whole.
exports = async function (name, documents) {
  const items = context.services.get("mongodb-atlas").db("bench").collection(name);
  const { insertedIds } = await items.insertMany(documents);
  return insertedIds.length;
};
