exports = function (id) {
  const items = context.services.get("mongodb-atlas").db("bench").collection("items");
  return items.findOne({ _id: id });
};
