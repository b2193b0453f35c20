// The answer waits for work that nobody awaits.
exports = function late(run) {
  const open = context.services.get("mongodb-atlas").db("t").collection("open");
  open.insertOne({ run, late: true });
  return "answered";
};
