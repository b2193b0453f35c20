// Moves `amount` between two documents in a transaction under the rules of the caller; throws afterwards when told so.
exports = async function (collection, from, to, amount, fails) {
  const service = context.services.get("main");
  const items = service.db("shop").collection(collection);
  const session = service.startSession();
  session.startTransaction();
  try {
    await items.updateOne({ _id: from }, { $inc: { amount: -amount } }, { session });
    await items.updateOne({ _id: to }, { $inc: { amount } }, { session });
    if (fails) throw new Error("changed my mind");
    await session.commitTransaction();
  } catch (error) {
    await session.abortTransaction();
    throw error;
  } finally {
    session.endSession();
  }
};
