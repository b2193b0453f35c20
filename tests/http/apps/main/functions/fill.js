// Replaces what t.<collection> has for `run` by these documents. For collections that clients cannot fill.
exports = async function fill(collection, run, documents) {
  const target = context.services.get("mongodb-atlas").db("t").collection(collection);
  await target.deleteMany({ run });
  const { insertedIds } = await target.insertMany(documents.map((document) => ({ ...document, run })));
  return insertedIds.length;
};
