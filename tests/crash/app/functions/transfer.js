// Moves an amount between two accounts and writes it down, in one transaction.
exports = async function transfer(id, from, to, amount) {
  const client = context.services.get("mongodb-atlas");
  const bank = client.db("crash");
  const session = client.startSession();
  try {
    await session.withTransaction(async () => {
      await bank.collection("accounts").updateOne({ _id: from }, { $inc: { balance: -amount } }, { session });
      await bank.collection("accounts").updateOne({ _id: to }, { $inc: { balance: amount } }, { session });
      await bank.collection("transfers").insertOne({ _id: id, from, to, amount }, { session });
    });
  } finally {
    session.endSession();
  }
  return id;
};
