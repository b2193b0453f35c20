// Any method of a collection, under the rules of the caller.
exports = async function (collection, method, ...rest) {
  const result = await context.services.get("main").db("shop").collection(collection)[method](...rest);
  return typeof result?.toArray === "function" ? result.toArray() : result;
};
