// call: []
// gives: {"_id": "timer"}
exports = () => context.services.get("mongodb-atlas").db("styles").collection("late").findOne({ _id: "timer" });
