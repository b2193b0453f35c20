// call: [30]
// gives: [70, 30, "not enough", 70]
exports = async function (amount) {
  const client = context.services.get("mongodb-atlas");
  const accounts = client.db("styles").collection("accounts");
  await accounts.deleteMany({});
  await accounts.insertMany([{ _id: "a", balance: 100 }, { _id: "b", balance: 0 }]);
  const move = async (n) => {
    const session = client.startSession();
    try {
      await session.withTransaction(async () => {
        const from = await accounts.findOneAndUpdate({ _id: "a" }, { $inc: { balance: -n } }, { session, returnNewDocument: true });
        if (from.balance < 0) throw new Error("not enough");
        await accounts.updateOne({ _id: "b" }, { $inc: { balance: n } }, { session });
      }, { readConcern: { level: "snapshot" } });
    } catch (err) {
      await session.abortTransaction();
      return err.message;
    } finally {
      await session.endSession();
    }
  };
  await move(amount);
  const after = [(await accounts.findOne({ _id: "a" })).balance, (await accounts.findOne({ _id: "b" })).balance];
  return [...after, await move(1000), (await accounts.findOne({ _id: "a" })).balance];
};
