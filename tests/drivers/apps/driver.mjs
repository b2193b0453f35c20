// The Node.js driver: what an ordinary back end does with it.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { Binary, Decimal128, GridFSBucket, Long, MongoClient, ObjectId } from "mongodb";

export async function withClient({ port, database }, work, uriOptions = "?replicaSet=restitch", options = {}) {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/${uriOptions}`, {
    serverSelectionTimeoutMS: 10000, ...options,
  });
  try {
    await client.connect();
    return await work(client.db(database), client);
  } finally {
    await client.close();
  }
}

const round = (work) => (place) => withClient(place, work);

// The error that this promise must end with.
export async function failureOf(promise) {
  const outcome = await promise.then(() => null, (error) => error);
  assert.ok(outcome, "expected a failure");
  return outcome;
}

async function connects(place) {
  for (const uri of ["", "?replicaSet=restitch", "?directConnection=true", "?retryWrites=false&w=majority&readConcernLevel=majority"]) {
    await withClient(place, async (db, client) => {
      assert.equal((await db.command({ ping: 1 })).ok, 1);
      const hello = await client.db("admin").command({ hello: 1 });
      assert.equal(hello.isWritablePrimary, true);
      assert.equal(hello.setName, "restitch");
      await db.collection("visits").insertOne({ uri });
      assert.deepEqual((await db.collection("visits").findOne({ uri })).uri, uri);
    }, uri);
  }
  const wrong = await failureOf(withClient(place, (db) => db.command({ ping: 1 }), "?replicaSet=other",
    { serverSelectionTimeoutMS: 500 }));
  assert.equal(wrong.name, "MongoServerSelectionError");
}

async function storesEveryType(db) {
  const document = {
    _id: new ObjectId(), int: 7, long: Long.fromString("9007199254740993"), double: 0.5, negativeZero: -0,
    decimal: Decimal128.fromString("1.10"), text: "Grüße 🌍\0end", yes: true, nothing: null, when: new Date(1700000000123),
    bytes: new Binary(Buffer.from([0, 1, 255])), list: [1, [2, { three: 3 }]], nested: { a: { b: { c: 1 } } }, pattern: /^a.*z$/im,
  };
  const things = db.collection("things", { promoteLongs: false });
  await things.insertOne(document);
  const found = await things.findOne({ _id: document._id }, { promoteLongs: false, bsonRegExp: false });
  assert.deepEqual(Object.keys(found), Object.keys(document));
  assert.equal(found.long.toString(), "9007199254740993");
  assert.equal(found.decimal.toString(), "1.10");
  assert.ok(Object.is(Number(found.negativeZero), -0));
  assert.equal(found.text, document.text);
  assert.deepEqual(found.pattern, document.pattern);
  assert.deepEqual([...found.bytes.buffer], [0, 1, 255]);
}

async function createsReadsUpdatesDeletes(db) {
  const people = db.collection("people");
  const { insertedCount } = await people.insertMany([
    { _id: 1, name: "Ada", age: 36, langs: ["en", "fr"] },
    { _id: 2, name: "Alan", age: 41, langs: ["en"] },
    { _id: 3, name: "Grace", age: 85, langs: [] },
  ]);
  assert.equal(insertedCount, 3);
  assert.deepEqual(await people.find({ age: { $gt: 40 } }).sort({ age: -1 }).project({ _id: 0, name: 1 }).toArray(),
    [{ name: "Grace" }, { name: "Alan" }]);
  assert.deepEqual(await people.distinct("langs"), ["en", "fr"]);
  assert.equal(await people.countDocuments({ langs: "en" }), 2);
  assert.equal(await people.estimatedDocumentCount(), 3);

  const pushed = await people.updateMany({ langs: "en" }, { $push: { langs: { $each: ["de"], $position: 0 } }, $inc: { age: 1 } });
  assert.deepEqual([pushed.matchedCount, pushed.modifiedCount], [2, 2]);
  const upserted = await people.updateOne({ name: "Linus" }, { $setOnInsert: { _id: 4 }, $set: { age: 30 } }, { upsert: true });
  assert.deepEqual([upserted.upsertedId, upserted.upsertedCount, upserted.matchedCount], [4, 1, 0]);
  const before = await people.findOneAndUpdate({ _id: 1 }, [{ $set: { decade: { $floor: { $divide: ["$age", 10] } } } }]);
  assert.equal(before.decade, undefined);
  const after = await people.findOneAndReplace({ _id: 2 }, { name: "Alan T." }, { returnDocument: "after" });
  assert.deepEqual(after, { _id: 2, name: "Alan T." });
  assert.equal((await people.findOneAndDelete({ _id: 3 })).name, "Grace");
  assert.equal((await people.deleteMany({})).deletedCount, 3);
  assert.equal(await people.findOne({}), null);
}

async function tellsOfDuplicateKeys(db) {
  const users = db.collection("users");
  assert.equal(await users.createIndex({ email: 1 }, { unique: true }), "email_1");
  await users.insertOne({ _id: 1, email: "a@example.org" });
  const failure = await failureOf(users.insertOne({ _id: 2, email: "a@example.org" }));
  assert.equal(failure.code, 11000);
  assert.equal(failure.message,
    `E11000 duplicate key error collection: ${db.databaseName}.users index: email_1 dup key: { email: "a@example.org" }`);
  assert.deepEqual(failure.keyPattern, { email: 1 });
  assert.deepEqual(failure.keyValue, { email: "a@example.org" });
  const bulk = await failureOf(users.insertMany(
    [{ _id: 1 }, { _id: 3, email: "c@example.org" }, { _id: 4, email: "c@example.org" }], { ordered: false }));
  assert.equal(bulk.code, 11000);
  assert.equal(bulk.result.insertedCount, 1);
  assert.deepEqual(bulk.writeErrors.map((error) => error.index), [0, 2]);
}

async function aggregates(db) {
  await db.collection("customers").insertMany([{ _id: "c1", name: "Ada" }, { _id: "c2", name: "Alan" }]);
  await db.collection("orders").insertMany(Array.from({ length: 40 }, (_, n) => ({
    customer: n % 2 ? "c1" : "c2", total: n, day: new Date(Date.UTC(2024, 0, 1 + (n % 4))), items: [{ sku: `s${n % 3}`, n }],
  })));
  const sums = await db.collection("orders").aggregate([
    { $match: { total: { $gte: 10 } } },
    { $unwind: "$items" },
    { $group: { _id: "$customer", total: { $sum: "$total" }, skus: { $addToSet: "$items.sku" }, last: { $max: "$day" } } },
    { $lookup: { from: "customers", localField: "_id", foreignField: "_id", as: "who" } },
    { $set: { name: { $first: "$who.name" }, skus: { $sortArray: { input: "$skus", sortBy: 1 } }, day: { $dateToString: { date: "$last", format: "%Y-%m-%d" } } } },
    { $project: { _id: 0, name: 1, total: 1, skus: 1, day: 1 } },
    { $sort: { name: 1 } },
  ]).toArray();
  assert.deepEqual(sums, [
    { total: 375, name: "Ada", skus: ["s0", "s1", "s2"], day: "2024-01-04" },
    { total: 360, name: "Alan", skus: ["s0", "s1", "s2"], day: "2024-01-03" },
  ]);
  const [faces] = await db.collection("orders").aggregate([{ $facet: {
    count: [{ $count: "n" }], top: [{ $sort: { total: -1 } }, { $limit: 1 }, { $project: { _id: 0, total: 1 } }],
    buckets: [{ $bucket: { groupBy: "$total", boundaries: [0, 20, 40], output: { n: { $sum: 1 } } } }],
  } }]).toArray();
  assert.deepEqual(faces, { count: [{ n: 40 }], top: [{ total: 39 }], buckets: [{ _id: 0, n: 20 }, { _id: 20, n: 20 }] });
  await db.collection("orders").aggregate([{ $group: { _id: "$customer", n: { $sum: 1 } } }, { $out: "counts" }]).toArray();
  assert.deepEqual(await db.collection("counts").find().sort({ _id: 1 }).toArray(), [{ _id: "c1", n: 20 }, { _id: "c2", n: 20 }]);
  const windows = await db.collection("orders").aggregate([
    { $setWindowFields: { partitionBy: "$customer", sortBy: { total: 1 }, output: { run: { $sum: "$total", window: { documents: ["unbounded", "current"] } } } } },
    { $match: { total: 39 } }, { $project: { _id: 0, run: 1 } }]).toArray();
  assert.deepEqual(windows, [{ run: 400 }]);
}

async function paysInTransactions(db, client) {
  const accounts = db.collection("accounts");
  await accounts.insertMany([{ _id: "a", balance: 100 }, { _id: "b", balance: 0 }]);
  const pay = (session, amount) => session.withTransaction(async () => {
    const from = await accounts.findOneAndUpdate({ _id: "a", balance: { $gte: amount } }, { $inc: { balance: -amount } }, { session });
    if (!from) throw new Error("not enough money");
    await accounts.updateOne({ _id: "b" }, { $inc: { balance: amount } }, { session });
    await db.collection("journal").insertOne({ amount }, { session });
  }, { readConcern: { level: "snapshot" }, writeConcern: { w: "majority" } });

  await client.withSession((session) => pay(session, 30));
  await assert.rejects(client.withSession((session) => pay(session, 1000)), /not enough money/);
  // Concurrent transactions conflict; the driver repeats them by their labels until each is done once.
  await Promise.all(Array.from({ length: 8 }, () => client.withSession((session) => pay(session, 5))));
  assert.deepEqual(await accounts.find().sort({ _id: 1 }).toArray(), [{ _id: "a", balance: 30 }, { _id: "b", balance: 70 }]);
  assert.equal(await db.collection("journal").countDocuments(), 9);

  await client.withSession(async (session) => {
    session.startTransaction();
    await accounts.updateOne({ _id: "a" }, { $set: { balance: 0 } }, { session });
    assert.equal((await accounts.findOne({ _id: "a" })).balance, 30, "not visible outside");
    const conflict = await client.withSession((other) => {
      other.startTransaction();
      return failureOf(accounts.updateOne({ _id: "a" }, { $set: { balance: 1 } }, { session: other }));
    });
    assert.equal(conflict.code, 112);
    assert.ok(conflict.hasErrorLabel("TransientTransactionError"));
    await session.abortTransaction();
  });
  assert.equal((await accounts.findOne({ _id: "a" })).balance, 30);
}

async function followsChanges(db) {
  await db.createCollection("tasks", { changeStreamPreAndPostImages: { enabled: true } });
  const tasks = db.collection("tasks");
  const stream = tasks.watch([{ $match: { operationType: { $in: ["insert", "update", "delete"] } } }],
    { fullDocument: "updateLookup", fullDocumentBeforeChange: "whenAvailable" });
  assert.equal(await stream.tryNext(), null);
  await tasks.insertOne({ _id: 1, title: "write", done: false });
  const inserted = await stream.next();
  await tasks.updateOne({ _id: 1 }, { $set: { done: true } });
  const updated = await stream.next();
  await tasks.deleteOne({ _id: 1 });
  const deleted = await stream.next();
  assert.deepEqual([inserted.operationType, inserted.fullDocument.title], ["insert", "write"]);
  assert.deepEqual(inserted.ns, { db: db.databaseName, coll: "tasks" });
  assert.deepEqual(updated.updateDescription.updatedFields, { done: true });
  assert.equal(updated.fullDocument.done, true);
  assert.equal(updated.fullDocumentBeforeChange.done, false);
  assert.deepEqual(deleted.documentKey, { _id: 1 });
  await stream.close();

  const resumed = tasks.watch([], { resumeAfter: inserted._id });
  assert.equal((await resumed.next()).operationType, "update");
  assert.equal((await resumed.next()).operationType, "delete");
  await resumed.close();
}

async function keepsFiles(db) {
  const bucket = new GridFSBucket(db, { bucketName: "media", chunkSizeBytes: 1024 });
  const content = Buffer.alloc(10000, "restitch ");
  const upload = bucket.openUploadStream("song.bin", { metadata: { kind: "audio" } });
  await pipeline(Readable.from([content.subarray(0, 3000), content.subarray(3000)]), upload);
  assert.equal(await db.collection("media.chunks").countDocuments(), 10);
  const [file] = await bucket.find({ "metadata.kind": "audio" }).toArray();
  assert.deepEqual([file.length, file.chunkSize, file.filename], [10000, 1024, "song.bin"]);
  assert.deepEqual(await buffer(bucket.openDownloadStream(upload.id)), content);
  assert.deepEqual(await buffer(bucket.openDownloadStreamByName("song.bin", { start: 1000, end: 2100 })), content.subarray(1000, 2100));
  await bucket.rename(upload.id, "tune.bin");
  await bucket.delete(upload.id);
  assert.equal(await db.collection("media.chunks").countDocuments(), 0);
  assert.deepEqual((await db.collection("media.chunks").indexes()).map((index) => index.name).sort(), ["_id_", "files_id_1_n_1"]);
}

async function writesInBulk(db) {
  const stock = db.collection("stock");
  const result = await stock.bulkWrite([
    ...Array.from({ length: 2500 }, (_, n) => ({ insertOne: { document: { _id: n, n: n % 10 } } })),
    { updateMany: { filter: { n: 3 }, update: { $set: { low: true } } } },
    { updateOne: { filter: { _id: "new" }, update: { $set: { n: 0 } }, upsert: true } },
    { replaceOne: { filter: { _id: 1 }, replacement: { n: 99 } } },
    { deleteMany: { filter: { n: { $in: [7, 8] } } } },
  ]);
  assert.deepEqual([result.insertedCount, result.modifiedCount, result.upsertedCount, result.deletedCount], [2500, 251, 1, 500]);
  assert.deepEqual(result.upsertedIds, { 2501: "new" });
  const cursor = stock.find({ n: 3 }, { batchSize: 100 });
  let seen = 0;
  for await (const document of cursor) seen += document.low ? 1 : 0;
  assert.equal(seen, 250);
}

async function managesIndexesAndExplains(db) {
  const places = db.collection("places");
  await places.insertMany(Array.from({ length: 500 }, (_, n) => ({ city: `c${n % 50}`, zip: n, tags: [n % 3, n % 5], at: new Date() })));
  const names = await places.createIndexes([
    { key: { city: 1, zip: -1 }, name: "by_city" },
    { key: { tags: 1 }, sparse: true },
    { key: { at: 1 }, expireAfterSeconds: 3600 },
    { key: { zip: 1 }, partialFilterExpression: { zip: { $gt: 400 } }, name: "high" },
    { key: { zip: "hashed" } },
  ]);
  assert.deepEqual(names, ["by_city", "tags_1", "at_1", "high", "zip_hashed"]);
  const indexes = await places.indexes();
  assert.deepEqual(indexes[0], { v: 2, key: { _id: 1 }, name: "_id_" });
  assert.equal(indexes.find((index) => index.name === "at_1").expireAfterSeconds, 3600);
  const plan = await places.find({ city: "c7" }).sort({ zip: -1 }).explain("executionStats");
  assert.equal(plan.executionStats.nReturned, 10);
  assert.equal(plan.executionStats.totalDocsExamined, 10);
  const stages = JSON.stringify(plan.queryPlanner.winningPlan);
  assert.match(stages, /"IXSCAN"/);
  assert.match(stages, /"by_city"/);
  assert.doesNotMatch(stages, /"SORT"/);
  const scan = await places.find({ nowhere: 1 }).explain();
  assert.equal(scan.queryPlanner.winningPlan.stage, "COLLSCAN");
  const clash = await failureOf(places.createIndex({ city: 1, zip: -1 }, { name: "other_name" }));
  assert.equal(clash.code, 85);
  await places.dropIndex("tags_1");
  const gone = await failureOf(places.dropIndex("tags_1"));
  assert.equal(gone.code, 27);
  assert.equal(gone.message, "index not found with name [tags_1]");
  assert.equal((await places.find({ city: "c1" }).hint("by_city").toArray()).length, 10);
}

async function validatesDocuments(db) {
  await db.createCollection("books", { validator: { $jsonSchema: {
    bsonType: "object", required: ["title", "pages"],
    properties: { title: { bsonType: "string", description: "must be text" }, pages: { bsonType: "int", minimum: 1 } },
  } } });
  const books = db.collection("books");
  await books.insertOne({ title: "Good", pages: 10 });
  const failure = await failureOf(books.insertOne({ title: 1, pages: 0 }));
  assert.equal(failure.code, 121);
  assert.equal(failure.message, "Document failed validation");
  const rules = failure.errInfo.details.schemaRulesNotSatisfied;
  assert.equal(failure.errInfo.details.operatorName, "$jsonSchema");
  assert.deepEqual(rules[0].propertiesNotSatisfied.map((property) => property.propertyName).sort(), ["pages", "title"]);
  await books.insertOne({ title: 1 }, { bypassDocumentValidation: true });
  await db.command({ collMod: "books", validationAction: "warn" });
  await books.insertOne({ any: "thing" });
  const [info] = await db.listCollections({ name: "books" }).toArray();
  assert.equal(info.options.validationAction, "warn");
}

async function readsItsOwnWrites(db, client) {
  await client.withSession({ causalConsistency: true }, async (session) => {
    await db.collection("notes").insertOne({ _id: 1 }, { session });
    assert.ok(session.operationTime);
    assert.deepEqual(await db.collection("notes").findOne({ _id: 1 }, { session, readConcern: { level: "majority" } }), { _id: 1 });
  });
  await client.withSession({ snapshot: true }, async (session) => {
    assert.equal((await db.collection("notes").find({}, { session }).toArray()).length, 1);
    await db.collection("notes").insertOne({ _id: 2 });
    assert.equal((await db.collection("notes").find({}, { session }).toArray()).length, 1);
  });
  assert.equal(await db.collection("notes").countDocuments(), 2);
}

async function sortsByCollation(db) {
  const words = db.collection("words");
  await words.insertMany(["b", "A", "a", "Ä", "B"].map((w) => ({ w })));
  const sorted = await words.find().collation({ locale: "de", strength: 1 }).sort({ w: 1, _id: 1 }).toArray();
  assert.deepEqual(sorted.map((word) => word.w), ["A", "a", "Ä", "b", "B"]);
  assert.equal((await words.find({ w: "a" }).collation({ locale: "en", strength: 2 }).toArray()).length, 2);
}

async function limitsTime(db) {
  await db.collection("numbers").insertMany(Array.from({ length: 3000 }, (_, n) => ({ n })));
  const slow = db.collection("numbers").aggregate([
    { $lookup: { from: "numbers", pipeline: [{ $match: { $expr: { $gt: ["$n", -1] } } }], as: "all" } },
    { $unwind: "$all" }, { $count: "n" }], { maxTimeMS: 50 }).toArray();
  const failure = await failureOf(slow);
  assert.equal(failure.code, 50);
  assert.equal(failure.codeName, "MaxTimeMSExpired");
}

export const rounds = {
  "connects by every plain URI": connects,
  "stores every type as it was": round(storesEveryType),
  "creates, reads, updates, deletes": round(createsReadsUpdatesDeletes),
  "tells of duplicate keys": round(tellsOfDuplicateKeys),
  "aggregates": round(aggregates),
  "pays in transactions": round(paysInTransactions),
  "follows changes": round(followsChanges),
  "keeps files in GridFS": round(keepsFiles),
  "writes in bulk": round(writesInBulk),
  "manages indexes and explains": round(managesIndexesAndExplains),
  "validates documents": round(validatesDocuments),
  "reads its own writes, and snapshots": round(readsItsOwnWrites),
  "sorts and finds by collation": round(sortsByCollation),
  "limits time": round(limitsTime),
};
