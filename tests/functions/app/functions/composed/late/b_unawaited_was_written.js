// call: []
// gives: [{"_id": "late"}]
exports = () => context.services.get("mongodb-atlas").db("styles").collection("late").find({});
