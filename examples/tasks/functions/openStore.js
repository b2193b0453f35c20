// Fills the shared inventory on its first call; later calls change nothing. Runs as the system user.
exports = async function openStore() {
  const items = context.services.get("mongodb-atlas").db("store").collection("items");
  for (const item of context.values.get("starting_stock")) {
    const { _id, ...fields } = item;
    await items.updateOne({ _id }, { $setOnInsert: fields }, { upsert: true });
  }
  return {
    store: context.values.get("store_name"),
    environment: context.environment.tag,
    items: await items.count({}),
  };
};
