// call: [5]
// gives: 5
exports = async function seed(n) {
  const items = context.services.get("mongodb-atlas").db("styles").collection("items");
  await items.deleteMany({});
  const { insertedIds } = await items.insertMany([...Array(n).keys()].map((i) => ({ _id: i, group: i % 2 ? "odd" : "even", n: i * 10 })));
  return insertedIds.length;
};
