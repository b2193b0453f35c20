// Adds a task of the caller and returns it. Runs as the caller: rules and schema of todo.tasks apply.
exports = async function addTask(title, details) {
  const clean = context.functions.execute("cleanTitle", title);
  if (clean === "") throw new Error("a task needs a title");

  const tasks = context.services.get("mongodb-atlas").db("todo").collection("tasks");
  const task = { owner: context.user.id, title: clean, done: false, ...details };
  const { insertedId } = await tasks.insertOne(task);
  return tasks.findOne({ _id: insertedId });
};
