// call: []
// gives: "before"
exports = function () {
  setTimeout(async () => {
    await context.services.get("mongodb-atlas").db("styles").collection("late").insertOne({ _id: "timer" });
  }, 20);
  return "before";
};
