// Keeps the moment of its own beginning, in microseconds of the system's monotonic clock.
exports = async function started(event) {
  const [seconds, nanoseconds] = process.hrtime();
  const times = context.services.get("mongodb-atlas").db("bench").collection("times");
  await times.insertOne({ title: event.fullDocument.title, at: seconds * 1e6 + Math.floor(nanoseconds / 1000) });
};
