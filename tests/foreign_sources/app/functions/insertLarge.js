// `count` documents of `size` bytes each, at once.
exports = async function (count, size) {
  const documents = [];
  for (let n = 0; n < count; ++n) documents.push({ _id: `large${n}`, text: String(n).repeat(size) });
  const { insertedIds } = await context.services.get("main").db("shop").collection("large").insertMany(documents);
  return Object.values(insertedIds);
};
