// call: []
// gives: [0, 10, 20, 30, 40]
exports = async function () {
  const cursor = context.services.get("mongodb-atlas").db("styles").collection("items").find().sort({ _id: 1 });
  const seen = [];
  let doc;
  while ((doc = await cursor.next())) seen.push(doc.n);
  return seen;
};
