exports = (event) =>
  context.services
    .get("mongodb-atlas")
    .db("nodes")
    .collection("handled")
    .insertOne({ user: event.user.id });
