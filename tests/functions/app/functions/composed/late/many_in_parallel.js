// call: [200]
// gives: 200
exports = async function (n) {
  const c = context.services.get("mongodb-atlas").db("styles").collection("many");
  await c.deleteMany({});
  for (let i = 0; i < n; i++) c.insertOne({ i }).catch(console.error);
  await new Promise((resolve) => setTimeout(resolve, 300));
  return c.count({});
};
