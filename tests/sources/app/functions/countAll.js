// Reads through a cursor of many batches.
exports = async function () {
  let sum = 0;
  const documents = await context.services.get("main").db("shop").collection("items").find({}).toArray();
  for (const document of documents) sum += document.n ?? 0;
  return { count: documents.length, sum };
};
