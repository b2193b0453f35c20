// Any method of a collection, without rules.
exports = async function (collection, method, ...rest) {
  const result = await context.services.get("main").db("shop").collection(collection)[method](...rest);
  return typeof result?.toArray === "function" ? result.toArray() : result;
};
