// The kept moments as [title, microseconds]; they are forgotten.
exports = async function takeTimes() {
  const times = context.services.get("mongodb-atlas").db("bench").collection("times");
  const found = await times.find({}).toArray();
  await times.deleteMany({ _id: { $in: found.map((one) => one._id) } });
  return found.map(({ title, at }) => [title, String(at)]);
};
