// call: []
// gives: [null, true]
exports = async function () {
  const found = await context.services.get("mongodb-atlas").db("styles").collection("items").findOne({ _id: -1 });
  return [found, !found];
};
