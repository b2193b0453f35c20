// call: ["^ab"]
// gives: ["abc", "ABd"]
exports = async function (pattern) {
  const c = context.services.get("mongodb-atlas").db("styles").collection("words");
  await c.deleteMany({});
  await c.insertMany(["abc", "xab", "ABd"].map((_id) => ({ _id })));
  const found = await c.find({ _id: new RegExp(pattern, "i") }).toArray();
  const same = await c.find({ _id: { $regex: pattern, $options: "i" } }).toArray();
  if (found.length !== same.length) throw new Error("they differ");
  return found.map((d) => d._id).sort().reverse();
};
