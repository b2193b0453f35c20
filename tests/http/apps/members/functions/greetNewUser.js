exports = async function greetNewUser(user) {
  if (String(user.data.email ?? "").startsWith("banned")) throw new Error("not welcome");
  const profiles = context.services.get("mongodb-atlas").db("people").collection("profiles");
  await profiles.insertOne({ user: user.id, type: user.type, points: 1 });
};
