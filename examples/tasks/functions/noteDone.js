// Runs by itself when a task is done (triggers/noteDone.json) and keeps a diary of that.
exports = async function noteDone(event) {
  const { owner, title } = event.fullDocument;
  const activity = context.services.get("mongodb-atlas").db("todo").collection("activity");
  // An event may come twice; its own id makes the note one.
  await activity.updateOne({ _id: event._id._data }, { $set: { owner, text: `done: ${title}`, at: new Date() } }, { upsert: true });
};
