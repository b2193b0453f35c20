// Answers GET /app/tasks-abcde/endpoint/items (https_endpoints/config.json): the inventory, for whoever asks.
exports = async function listItems({ query }, response) {
  const items = context.services.get("mongodb-atlas").db("store").collection("items");
  response.setHeader("Cache-Control", "max-age=60");
  return items.find(query.name ? { name: query.name } : {}, { name: 1, stock: 1 }).sort({ name: 1 }).toArray();
};
