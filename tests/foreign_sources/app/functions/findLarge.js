// What a find of everything brings: how many documents, and how long their texts are.
exports = async function () {
  const found = await context.services.get("main").db("shop").collection("large").find({}).toArray();
  return { count: found.length, length: found.reduce((sum, { text }) => sum + text.length, 0) };
};
