exports = async function promote() {
  const profiles = context.services.get("mongodb-atlas").db("people").collection("profiles");
  await profiles.updateOne({ user: context.user.id }, { $set: { leader: true } });
  return context.user.custom_data.leader ?? null;
};
