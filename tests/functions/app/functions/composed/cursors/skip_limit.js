// call: [2, 2]
// gives: [20, 30]
exports = async (skip, limit) => (await context.services.get("mongodb-atlas").db("styles").collection("items")
  .find({}).sort({ _id: 1 }).skip(skip).limit(limit).toArray()).map((d) => d.n);
