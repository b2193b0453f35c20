// call: ["late"]
// gives: {"$undefined": true}
exports = function (id) {
  const c = context.services.get("mongodb-atlas").db("styles").collection("late");
  c.deleteMany({}).then(() => c.insertOne({ _id: id }));
};
