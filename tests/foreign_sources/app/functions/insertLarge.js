// `count` documents of `size` bytes each, at once, numbered from `first`.
exports = async function (first, count, size) {
  const documents = [];
  for (let n = first; n < first + count; ++n) documents.push({ _id: `large${n}`, text: String(n).repeat(size) });
  const { insertedIds } = await context.services.get("main").db("shop").collection("large").insertMany(documents);
  return Object.values(insertedIds);
};
