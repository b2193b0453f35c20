exports = async function () {
  try {
    await context.services.get("lake").db("shop").collection("items").insertOne({ _id: 1 });
  } catch (error) {
    return error.message;
  }
  return "written";
};
