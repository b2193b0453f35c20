// Replaces the caller's profile by one for each of these forms of the user's id, in this order.
exports = async (...forms) => {
  const profiles = context.services.get("mongodb-atlas").db("people").collection("profiles");
  const ids = { text: context.user.id, oid: new BSON.ObjectId(context.user.id) };
  await profiles.deleteMany({ user: { $in: [ids.text, ids.oid] } });
  for (const [index, form] of forms.entries()) await profiles.insertOne({ user: ids[form], form, index });
};
