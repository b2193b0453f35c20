// call: []
// gives: [100, 100]
exports = async function () {
  const items = context.services.get("mongodb-atlas").db("styles").collection("items");
  let sum = 0;
  await items.find().forEach((d) => { sum += d.n; });
  let again = 0;
  for await (const d of items.aggregate([{ $match: {} }])) again += d.n;
  return [sum, again];
};
