// Puts an internal note on one of the caller's tasks, archived ones included. Runs as the system user, for which no
// rules, filters or schemas hold, so it has to see to the owner by itself: context.user is still the caller.
exports = async function flagTask(taskId, note) {
  const tasks = context.services.get("mongodb-atlas").db("todo").collection("tasks");
  const mine = { _id: taskId, owner: context.user.id };
  const { matchedCount } = await tasks.updateOne(mine, { $set: { internal_note: String(note) } });
  const flagged = await tasks.count({ owner: context.user.id, internal_note: { $exists: true } });
  return { found: matchedCount === 1, flagged, asSystem: context.runningAsSystem() };
};
