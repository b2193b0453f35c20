// Compares what the index on _id gives with what a scan of the collection gives, for at most `most` documents that
// match. Returns the ids on which they differ.
exports = async function audit(name, query, most) {
  const collection = context.services.get("mongodb-atlas").db("crash").collection(name);
  const scanned = await collection.find(query).toArray();
  const counted = await collection.count(query);
  const wrong = [];
  for (const document of scanned.slice(0, most)) {
    const found = await collection.find({ _id: document._id }).toArray();
    if (found.length !== 1 || EJSON.stringify(found[0]) !== EJSON.stringify(document)) wrong.push(document._id);
  }
  const ids = scanned.map((document) => document._id);
  const byIndex = await collection.find({ _id: { $in: ids } }, { _id: 1 }).toArray();
  return { scanned: scanned.length, counted, byIndex: byIndex.length, distinct: new Set(ids).size, wrong };
};
