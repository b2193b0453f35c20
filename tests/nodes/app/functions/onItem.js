exports = (event) =>
  context.services
    .get("mongodb-atlas")
    .db("nodes")
    .collection("handled")
    .insertOne({ item: event.documentKey._id });
