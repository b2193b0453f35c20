// call: []
// gives: [5, [0, 1, 2, 3, 4]]
exports = async function () {
  const found = await context.services.get("mongodb-atlas").db("styles").collection("items").find({});
  return [found.length, (await found.toArray()).map((d) => d._id)];
};
