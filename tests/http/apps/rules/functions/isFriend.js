// Whether the owner has made the user a friend. As the system, since no user may read r.friends.
exports = async (user, owner) => {
  const friends = context.services.get("mongodb-atlas").db("r").collection("friends");
  return (await friends.count({ owner, friend: user })) > 0;
};
