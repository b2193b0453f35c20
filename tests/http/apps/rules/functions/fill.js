// Stores documents where clients may not.
exports = async (source, collection, documents) => {
  const { insertedIds } = await context.services.get(source).db("r").collection(collection).insertMany(documents);
  return insertedIds.length;
};
