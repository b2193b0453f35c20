exports = async function ({ operationType, documentKey }) {
  const log = context.services.get("main").db("shop").collection("log");
  await log.insertOne({ operation: operationType, of: documentKey._id ?? null });
};
