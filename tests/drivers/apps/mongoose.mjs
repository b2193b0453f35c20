// Mongoose: schemas, validation, population, hooks, discriminators, transactions, streams of changes.
import assert from "node:assert/strict";
import mongoose from "mongoose";

const { Schema, Types } = mongoose;

const round = (work) => async ({ port, database }) => {
  const connection = mongoose.createConnection(`mongodb://127.0.0.1:${port}/${database}`, { serverSelectionTimeoutMS: 10000 });
  try {
    await connection.asPromise();
    await work(connection);
  } finally {
    await connection.close();
  }
};

function models(connection) {
  const author = new Schema({ name: { type: String, required: true }, email: { type: String, unique: true, lowercase: true } }, { timestamps: true });
  author.virtual("posts", { ref: "Post", localField: "_id", foreignField: "author" });
  const comment = new Schema({ by: String, text: String, at: { type: Date, default: Date.now } });
  const post = new Schema({
    title: { type: String, required: true, minlength: 3, index: true },
    author: { type: Schema.Types.ObjectId, ref: "Author" },
    tags: { type: [String], enum: ["news", "code"] },
    votes: { type: Number, default: 0, min: 0 },
    price: Schema.Types.Decimal128,
    meta: { type: Map, of: Number },
    comments: [comment],
  }, { optimisticConcurrency: true });
  post.index({ author: 1, votes: -1 });
  post.pre("save", function slug() { this.title = this.title.trim(); });
  return { Author: connection.model("Author", author), Post: connection.model("Post", post) };
}

async function savesAndPopulates(connection) {
  const { Author, Post } = models(connection);
  await Promise.all([Author.init(), Post.init()]);
  const ada = await Author.create({ name: "Ada", email: "ADA@example.org" });
  assert.equal(ada.email, "ada@example.org");
  assert.ok(ada.createdAt instanceof Date);
  const post = await Post.create({ title: "  Engines ", author: ada, tags: ["code"], price: "9.90", meta: { likes: 2 } });
  post.comments.push({ by: "Alan", text: "nice" }, { by: "Grace", text: "bug" });
  await post.save();
  const found = await Post.findById(post.id).populate("author", "name");
  assert.equal(found.title, "Engines");
  assert.equal(found.author.name, "Ada");
  assert.equal(found.price.toString(), "9.90");
  assert.equal(found.meta.get("likes"), 2);
  assert.equal(found.comments.length, 2);
  const withPosts = await Author.findOne({ email: "ada@example.org" }).populate({ path: "posts", options: { sort: { votes: -1 } } });
  assert.deepEqual(withPosts.posts.map((entry) => entry.title), ["Engines"]);

  found.comments.id(found.comments[0]._id).deleteOne();
  found.votes = 5;
  await found.save();
  const stale = await Post.findById(post.id);
  await Post.findById(post.id).then((fresh) => { fresh.title = "Engine"; return fresh.save(); });
  stale.title = "Other";
  await assert.rejects(stale.save(), { name: "VersionError" });
  const names = (await Post.collection.indexes()).map((index) => index.name).sort();
  assert.deepEqual(names, ["_id_", "author_1_votes_-1", "title_1"]);
}

async function refusesWhatIsWrong(connection) {
  const { Author, Post } = models(connection);
  await Author.init();
  await assert.rejects(Post.create({ title: "x", votes: -1, tags: ["none"] }), (error) => {
    assert.deepEqual(Object.keys(error.errors).sort(), ["tags.0", "title", "votes"]);
    return error.name === "ValidationError";
  });
  await Author.create({ name: "Ada", email: "a@example.org" });
  await assert.rejects(Author.create({ name: "Ida", email: "a@example.org" }), (error) => {
    assert.equal(error.code, 11000);
    assert.deepEqual(error.keyValue, { email: "a@example.org" });
    return /index: email_1 dup key/.test(error.message);
  });
  await assert.rejects(Author.findById("nonsense"), { name: "CastError" });
}

async function queriesAndAggregates(connection) {
  const { Author, Post } = models(connection);
  const [ada, alan] = await Author.insertMany([{ name: "Ada", email: "a" }, { name: "Alan", email: "b" }]);
  await Post.insertMany(Array.from({ length: 30 }, (_, n) => ({ title: `Post ${n}`, author: n % 3 ? ada._id : alan._id, votes: n, tags: [n % 2 ? "news" : "code"] })));
  const page = await Post.find({ votes: { $gte: 10 }, tags: "news" }).sort("-votes").skip(2).limit(3).select("votes -_id").lean();
  assert.deepEqual(page, [{ votes: 25 }, { votes: 23 }, { votes: 21 }]);
  const byAuthor = await Post.aggregate([
    { $group: { _id: "$author", votes: { $sum: "$votes" }, n: { $sum: 1 } } },
    { $lookup: { from: "authors", localField: "_id", foreignField: "_id", as: "author" } },
    { $unwind: "$author" }, { $project: { _id: 0, name: "$author.name", votes: 1, n: 1 } }, { $sort: { name: 1 } }]);
  assert.deepEqual(byAuthor, [{ votes: 300, n: 20, name: "Ada" }, { votes: 135, n: 10, name: "Alan" }]);
  const updated = await Post.findOneAndUpdate({ title: "Post 3" }, { $inc: { votes: 100 } }, { new: true, runValidators: true });
  assert.equal(updated.votes, 103);
  assert.equal((await Post.updateMany({ tags: "code" }, { $addToSet: { tags: "news" } })).modifiedCount, 15);
  let sum = 0;
  for await (const document of Post.find().batchSize(7).cursor()) sum += document.votes;
  assert.equal(sum, 535);
  assert.equal(await Post.exists({ votes: 9999 }), null);
  const written = await Post.bulkWrite([{ insertOne: { document: { title: "bulk" } } }, { deleteMany: { filter: { votes: { $lt: 5 } } } }]);
  assert.deepEqual([written.insertedCount, written.deletedCount], [1, 5]);
}

async function inheritsByDiscriminator(connection) {
  const Shape = connection.model("Shape", new Schema({ name: String }, { discriminatorKey: "kind" }));
  const Circle = Shape.discriminator("Circle", new Schema({ radius: Number }));
  await Shape.discriminator("Square", new Schema({ side: Number })).create({ name: "s", side: 2 });
  await Circle.create({ name: "c", radius: 1 });
  assert.equal(await Shape.countDocuments(), 2);
  assert.deepEqual((await Circle.find()).map((shape) => [shape.kind, shape.radius]), [["Circle", 1]]);
}

async function runsTransactions(connection) {
  const Account = connection.model("Account", new Schema({ name: String, balance: { type: Number, min: 0 } }));
  await Account.createCollection();
  await Account.create([{ name: "a", balance: 10 }, { name: "b", balance: 0 }]);
  const move = (amount) => connection.transaction(async (session) => {
    const [a, b] = await Promise.all([Account.findOne({ name: "a" }).session(session), Account.findOne({ name: "b" }).session(session)]);
    b.balance += amount;
    await b.save();
    a.balance -= amount;
    await a.save();
  });
  await move(4);
  await assert.rejects(move(40), { name: "ValidationError" });
  assert.deepEqual(await Account.find().sort("name").select("balance -_id").lean(), [{ balance: 6 }, { balance: 4 }]);
}

async function watchesAModel(connection) {
  const Note = connection.model("Note", new Schema({ text: String }));
  await Note.createCollection();
  const { operationTime } = await connection.db.command({ ping: 1 });  // the stream is opened later than it is asked for
  const stream = Note.watch([], { fullDocument: "updateLookup", hydrate: true, startAtOperationTime: operationTime });
  const changes = [];
  const enough = new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("change", (change) => { if (changes.push(change) === 2) resolve(); });
  });
  const note = await Note.create({ text: "one" });
  await Note.updateOne({ _id: note._id }, { text: "two" });
  await enough;
  await stream.close();
  assert.deepEqual(changes.map((change) => [change.operationType, change.fullDocument.text]), [["insert", "one"], ["update", "two"]]);
  assert.ok(changes[0].documentKey._id instanceof Types.ObjectId);
}

export const rounds = {
  "saves and populates": round(savesAndPopulates),
  "refuses what is wrong": round(refusesWhatIsWrong),
  "queries and aggregates": round(queriesAndAggregates),
  "inherits by discriminator": round(inheritsByDiscriminator),
  "runs transactions": round(runsTransactions),
  "watches a model": round(watchesAModel),
};
