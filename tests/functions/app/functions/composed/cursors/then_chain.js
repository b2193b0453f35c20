// call: []
// gives: "found 2"
exports = function () {
  return context.services.get("mongodb-atlas").db("styles").collection("items").find({ group: "odd" }).toArray()
    .then((docs) => `found ${docs.length}`)
    .catch((err) => console.error(`Failed: ${err}`));
};
