// What an app does with realm-web against the example app (examples/tasks). Runs unchanged in Node.js and in a browser.
import * as Realm from "realm-web";
import { Double, Long, ObjectId } from "bson";
import { ok, refused, same } from "./check.mjs";
import { Memory } from "./storage.mjs";

const APP_ID = "tasks-abcde";
const PASSWORD = "corr3ct-horse";
const KEEPER = "keeper@example.org";
const { anonymous, apiKey, emailPassword } = Realm.Credentials;

let counter = 0;
const run = `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
const unique = (prefix) => `${prefix}-${run}-${++counter}`;
const newEmail = () => `${unique("user")}@example.org`;

const tasksOf = (user) => user.mongoClient("mongodb-atlas").db("todo").collection("tasks");
const itemsOf = (user) => user.mongoClient("mongodb-atlas").db("store").collection("items");
const titles = (tasks) => tasks.map((task) => task.title).sort();

// A JWT with the same claims and a signature that no key made.
function forged(token) {
  const [head, payload] = token.split(".");
  return `${head}.${payload}.${"A".repeat(43)}`;
}

class Scenario {
  constructor(baseUrl) { this.baseUrl = baseUrl; }
  app(id = APP_ID) { return new Realm.App({ id, baseUrl: this.baseUrl, storage: new Memory() }); }
  guest() { return this.app().logIn(anonymous(false)); }
  async member(email = newEmail()) {
    const app = this.app();
    await app.emailPasswordAuth.registerUser({ email, password: PASSWORD });
    const user = await app.logIn(emailPassword(email, PASSWORD));
    return { app, user, email };
  }
  async keeper() {
    const app = this.app();
    try {
      await app.emailPasswordAuth.registerUser({ email: KEEPER, password: PASSWORD });
    } catch (error) {
      if (error.errorCode !== "AccountNameInUse") throw error;
    }
    return app.logIn(emailPassword(KEEPER, PASSWORD));
  }
}

export const scenarios = [];
const scenario = (name, body) => scenarios.push({ name, run: (baseUrl) => body(new Scenario(baseUrl)) });

// --- users ---------------------------------------------------------------------------------------------------------

scenario("anonymous sign-in gives a user with one anonymous identity", async (s) => {
  const app = s.app();
  const user = await app.logIn(anonymous());
  ok(/^[0-9a-f]{24}$/.test(user.id), "user id");
  same(user.identities.map((i) => i.providerType), ["anon-user"], "identities");
  ok(/^[0-9a-f]{24}-[a-z]{24}$/.test(user.identities[0].id), "identity id");
  same(user.profile, {}, "profile");
  same(user.customData, {}, "custom data");
  same(user.isLoggedIn, true, "signed in");
  same((await app.logIn(anonymous())).id, user.id, "reused anonymous user");
  ok((await app.logIn(anonymous(false))).id !== user.id, "a second anonymous user");
});

scenario("e-mail sign-in gives the same user each time and its e-mail in the profile", async (s) => {
  const { user, email } = await s.member();
  same(user.profile.email, email, "e-mail");
  same(user.identities.map((i) => i.providerType), ["local-userpass"], "identities");
  const again = await s.app().logIn(emailPassword(email, PASSWORD));
  same(again.id, user.id, "user id of the second sign-in");
});

scenario("a wrong password and an unknown e-mail are refused alike", async (s) => {
  const { email } = await s.member();
  const expected = { statusCode: 401, error: "unauthorized", errorCode: "InvalidPassword" };
  await refused(s.app().logIn(emailPassword(email, "wrong-horse")), expected, "wrong password");
  await refused(s.app().logIn(emailPassword(newEmail(), PASSWORD)), expected, "unknown e-mail");
  await refused(s.app().logIn(emailPassword(email.toUpperCase(), PASSWORD)), expected, "other case");
});

scenario("registering needs a free e-mail and a password of 6 to 128 characters", async (s) => {
  const { app, email } = await s.member();
  const register = (address, password) => app.emailPasswordAuth.registerUser({ email: address, password });
  await refused(register(email, PASSWORD),
                { statusCode: 409, error: "name already in use", errorCode: "AccountNameInUse" });
  for (const password of ["12345", "x".repeat(129)]) {
    await refused(register(newEmail(), password),
                  { statusCode: 400, error: "password must be between 6 and 128 characters" });
  }
  await refused(register("", PASSWORD), { statusCode: 400, error: "email invalid" });
});

scenario("an unknown app id is answered with the text that SDKs compare", async (s) => {
  await refused(s.app("nowhere-zzzzz").logIn(anonymous()),
                { statusCode: 404, error: "cannot find app using Client App ID 'nowhere-zzzzz'" });
});

scenario("a bad access token is replaced and the call repeated", async (s) => {
  const user = await s.guest();
  const bad = forged(user.accessToken);
  user.accessToken = bad;
  same(await user.functions.addTask("after a refresh").then((t) => t.title), "after a refresh", "function result");
  ok(user.accessToken !== bad, "new access token");
  user.accessToken = forged(user.accessToken);
  same(await tasksOf(user).count({}), 1, "count with a bad token");
});

scenario("a bad access token is replaced when reading the profile", async (s) => {
  const user = await s.guest();
  user.accessToken = forged(user.accessToken);
  await user.refreshProfile();
  same(user.identities.length, 1, "identities");
});

scenario("refreshing gives another access token and keeps the user", async (s) => {
  const { user } = await s.member();
  const before = user.accessToken;
  await user.refreshAccessToken();
  ok(typeof user.accessToken === "string" && user.accessToken.split(".").length === 3, "access token");
  ok(user.accessToken !== null && before !== null, "tokens");
  same(await user.refreshCustomData(), {}, "custom data");
});

scenario("logging out ends the session and no other", async (s) => {
  const { app, user, email } = await s.member();
  const other = await s.app().logIn(emailPassword(email, PASSWORD));
  const refreshToken = user.refreshToken;
  await user.logOut();
  same(user.isLoggedIn, false, "signed in after logging out");
  same(app.currentUser, null, "current user");
  user.refreshToken = refreshToken;
  await refused(user.refreshAccessToken(),
                { statusCode: 401, errorCode: "InvalidSession", error: "invalid session: failed to find refresh token" });
  await other.refreshAccessToken();
  same(await tasksOf(other).count({}), 0, "the other session works");
});

scenario("API keys are made, listed, disabled, used and deleted", async (s) => {
  const { user } = await s.member();
  same(await user.apiKeys.fetchAll(), [], "keys of a new user");
  const made = await user.apiKeys.create("laptop");
  same(Object.keys(made).sort(), ["_id", "disabled", "key", "name"], "members of a new key");
  ok(typeof made._id === "string" && /^[0-9a-f]{24}$/.test(made._id), "key id");
  ok(/^[A-Za-z0-9]{64}$/.test(made.key), "key value");
  await user.apiKeys.create("phone");
  same((await user.apiKeys.fetchAll()).map((k) => k.name), ["laptop", "phone"], "listed keys");
  same(await user.apiKeys.fetch(made._id), { _id: made._id, name: "laptop", disabled: false }, "one key");

  const signedIn = await s.app().logIn(apiKey(made.key));
  same(signedIn.id, user.id, "user of the key");
  same(signedIn.identities.map((i) => i.providerType), ["local-userpass", "api-key"], "identities");
  await refused(signedIn.apiKeys.delete(made._id), { statusCode: 403 }, "deleting the key in use");

  await user.apiKeys.disable(made._id);
  same((await user.apiKeys.fetch(made._id)).disabled, true, "disabled");
  await refused(s.app().logIn(apiKey(made.key)),
                { statusCode: 401, error: "unauthorized", errorCode: "AuthError" }, "disabled key");
  await user.apiKeys.enable(made._id);
  same((await s.app().logIn(apiKey(made.key))).id, user.id, "user of the enabled key");

  await user.apiKeys.delete(made._id);
  await refused(user.apiKeys.fetch(made._id),
                { statusCode: 404, error: "API key not found", errorCode: "APIKeyNotFound" });
  await refused(s.app().logIn(apiKey(made.key)), { statusCode: 401, errorCode: "AuthError" }, "deleted key");
});

scenario("API key names are checked", async (s) => {
  const { user } = await s.member();
  await refused(user.apiKeys.create("two words"), {
    statusCode: 400,
    errorCode: "InvalidParameter",
    error: /can only contain ASCII letters, numbers, underscores, and hyphens/,
  });
  await user.apiKeys.create("twice");
  await refused(user.apiKeys.create("twice"),
                { statusCode: 409, errorCode: "APIKeyAlreadyExists", error: /API key with name already exists/ });
  await refused(user.apiKeys.create(""), { statusCode: 400, error: "'name' is a required string" });
  const { user: stranger } = await s.member();
  const [key] = await user.apiKeys.fetchAll();
  await refused(stranger.apiKeys.fetch(key._id), { statusCode: 404, errorCode: "APIKeyNotFound" }, "another's key");
});

scenario("an anonymous user becomes a member by linking and keeps its data", async (s) => {
  const app = s.app();
  const user = await app.logIn(anonymous(false));
  await user.functions.addTask("made as a guest");
  const email = newEmail();
  await app.emailPasswordAuth.registerUser({ email, password: PASSWORD });
  await user.linkCredentials(emailPassword(email, PASSWORD));
  same(user.identities.map((i) => i.providerType), ["anon-user", "local-userpass"], "identities");
  same(user.profile.email, email, "e-mail");

  const member = await s.app().logIn(emailPassword(email, PASSWORD));
  same(member.id, user.id, "user id");
  same(titles(await tasksOf(member).find()), ["made as a guest"], "tasks");
});

scenario("a deleted user is gone, its tokens with it, and its e-mail is free again", async (s) => {
  const { app, user, email } = await s.member();
  const tokens = [user.accessToken, user.refreshToken];
  await app.deleteUser(user);
  same(app.currentUser, null, "current user");
  same(user.state, "removed", "state");
  await refused(s.app().logIn(emailPassword(email, PASSWORD)),
                { statusCode: 401, error: "unauthorized", errorCode: "InvalidPassword" });
  const ghost = await s.app().logIn(anonymous(false));
  [ghost.accessToken, ghost.refreshToken] = tokens;
  await refused(tasksOf(ghost).find(), { statusCode: 401, errorCode: "InvalidSession" }, "old tokens");
  const { user: successor } = await s.member(email);
  ok(successor.id !== user.id, "a new user id");
});

// --- data ----------------------------------------------------------------------------------------------------------

scenario("insert, find, findOne, count and aggregate", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  const one = await tasks.insertOne({ owner: user.id, title: "b", done: false, priority: 2 });
  ok(one.insertedId instanceof ObjectId || /^[0-9a-f]{24}$/.test(String(one.insertedId)), "insertedId");
  const id = new ObjectId();
  const many = await tasks.insertMany([
    { _id: id, owner: user.id, title: "a", done: true, priority: 1, due: new Date(86400000), tags: ["x", "y"] },
    { owner: user.id, title: "c", done: false, priority: 3, checklist: [{ text: "first", done: false }] },
  ]);
  same(many.insertedIds.length, 2, "insertedIds");
  same(String(many.insertedIds[0]), id.toHexString(), "first inserted id");

  same((await tasks.find({}, { sort: { title: 1 } })).map((t) => t.title), ["a", "b", "c"], "sorted");
  same((await tasks.find({}, { sort: { title: -1 }, limit: 2 })).map((t) => t.title), ["c", "b"], "limited");
  same(await tasks.find({ priority: { $gte: 2 } }, { projection: { _id: 0, title: 1 }, sort: { title: 1 } }),
       [{ title: "b" }, { title: "c" }], "projected");
  same(await tasks.findOne({ _id: id }),
       { _id: id, owner: user.id, title: "a", done: true, priority: 1, due: new Date(86400000), tags: ["x", "y"] });
  same(await tasks.findOne({ title: "nothing" }), null, "no document");
  same(await tasks.count({ done: false }), 2, "count");
  same(await tasks.count({}, { limit: 1 }), 1, "limited count");
  same(await tasks.aggregate([
    { $group: { _id: "$done", n: { $sum: 1 }, most: { $max: "$priority" } } },
    { $sort: { _id: 1 } },
  ]), [{ _id: false, n: 2, most: 3 }, { _id: true, n: 1, most: 1 }], "groups");
});

scenario("update, replace and delete report what they did", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  for (const title of ["a", "b", "c"]) await user.functions.addTask(title);
  same(await tasks.updateOne({ title: "a" }, { $set: { priority: 5 }, $push: { tags: "urgent" } }),
       { matchedCount: 1, modifiedCount: 1 }, "updateOne");
  same(await tasks.updateMany({}, { $set: { done: true } }), { matchedCount: 3, modifiedCount: 3 }, "updateMany");
  same(await tasks.updateMany({}, { $set: { done: true } }), { matchedCount: 3, modifiedCount: 0 }, "no change");
  same(await tasks.updateOne({ title: "z" }, { $set: { done: true } }), { matchedCount: 0, modifiedCount: 0 });

  const upserted = await tasks.updateOne({ title: "d", owner: user.id }, { $set: { done: false } }, { upsert: true });
  same([upserted.matchedCount, upserted.modifiedCount, Object.keys(upserted).length], [0, 0, 3], "upsert");
  same((await tasks.findOne({ _id: upserted.upsertedId })).title, "d", "upserted document");

  same((await tasks.findOneAndUpdate({ title: "b" }, { $inc: { priority: 3 } })).priority, undefined, "old document");
  same((await tasks.findOneAndUpdate({ title: "b" }, { $inc: { priority: 1 } }, { returnNewDocument: true })).priority,
       4, "new document");
  same((await tasks.findOneAndReplace({ title: "c" }, { owner: user.id, title: "e", done: true },
                                      { returnNewDocument: true, projection: { _id: 0 } })),
       { owner: user.id, title: "e", done: true }, "replaced document");

  same(await tasks.deleteOne({ title: "a" }), { deletedCount: 1 }, "deleteOne");
  same(await tasks.deleteMany({}), { deletedCount: 3 }, "deleteMany");
  same(await tasks.deleteMany({}), { deletedCount: 0 }, "nothing left");
});

scenario("array filters and positional updates work", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  await user.functions.addTask("pack", {
    checklist: [{ text: "shoes", done: false }, { text: "book", done: false }],
  });
  await tasks.updateOne({ title: "pack" }, { $set: { "checklist.$[e].done": true } },
                        { arrayFilters: [{ "e.text": "book" }] });
  same((await tasks.findOne({ title: "pack" })).checklist.map((e) => e.done), [false, true], "checklist");
});

scenario("a collection without rules is out of reach", async (s) => {
  const user = await s.guest();
  const secret = user.mongoClient("mongodb-atlas").db("todo").collection("secrets");
  const expected = {
    statusCode: 403,
    errorCode: "NoMatchingRuleFound",
    error: "no rule exists for namespace 'todo.secrets'",
    link: /\/groups\/[0-9a-f]{24}\/apps\/[0-9a-f]{24}\/logs\?co_id=[0-9a-f]{24}$/,
  };
  await refused(secret.find(), expected, "find");
  await refused(secret.insertOne({ a: 1 }), expected, "insertOne");
  await refused(secret.updateMany({}, { $set: { a: 1 } }), expected, "updateMany");
  await refused(secret.deleteMany({}), expected, "deleteMany");
  await refused(secret.aggregate([]), expected, "aggregate");
  await refused(secret.count(), expected, "count");
});

scenario("an unknown data source is reported by name", async (s) => {
  const user = await s.guest();
  await refused(user.mongoClient("elsewhere").db("a").collection("b").find(),
                { statusCode: 404, errorCode: "ServiceNotFound", error: "service not found: 'elsewhere'" });
});

scenario("a role refuses to insert for another owner", async (s) => {
  const user = await s.guest();
  await refused(tasksOf(user).insertOne({ owner: "somebody else", title: "a", done: false }),
                { statusCode: 400, errorCode: "NoMatchingRuleFound", error: "insert not permitted" });
  await refused(tasksOf(user).insertMany([
    { owner: user.id, title: "mine", done: false },
    { owner: "somebody else", title: "not mine", done: false },
  ]), { statusCode: 400, error: "insert not permitted" });
  same(await tasksOf(user).count(), 0, "nothing inserted");
});

scenario("field permissions hold: the owner cannot change, the internal note cannot be seen or written", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  const task = await user.functions.addTask("a");
  const denied = { statusCode: 400, errorCode: "NoMatchingRuleFound", error: "update not permitted" };
  await refused(tasks.updateOne({ _id: task._id }, { $set: { owner: "somebody else" } }), denied, "owner");
  await refused(tasks.updateOne({ _id: task._id }, { $set: { internal_note: "x" } }), denied, "note");
  same(await tasks.updateOne({ _id: task._id }, { $set: { owner: user.id, done: true } }),
       { matchedCount: 1, modifiedCount: 1 }, "the same owner again");

  same(await user.functions.flagTask(task._id, "looks odd"), { found: true, flagged: 1, asSystem: true }, "flag");
  same(await tasks.findOne({ _id: task._id }), { _id: task._id, owner: user.id, title: "a", done: true }, "hidden note");
  same(await tasks.find({}, { projection: { _id: 0, internal_note: 1 } }), [{}], "asking for the note");
  same(await tasks.aggregate([{ $project: { _id: 0, note: "$internal_note" } }]), [{}], "renaming the note");
  await refused(tasks.deleteOne({ _id: task._id }), { statusCode: 400, error: "delete not permitted" }, "delete");
});

scenario("the filter hides archived tasks from everything but system functions", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  const task = await user.functions.addTask("old");
  await user.functions.addTask("new");
  same(await tasks.updateOne({ title: "old" }, { $set: { archived: true } }), { matchedCount: 1, modifiedCount: 1 });
  same(titles(await tasks.find()), ["new"], "visible");
  same(await tasks.count(), 1, "counted");
  same(await tasks.findOne({ _id: task._id }), null, "by id");
  same(await tasks.updateOne({ _id: task._id }, { $set: { archived: false } }),
       { matchedCount: 0, modifiedCount: 0 }, "update");
  same(await tasks.deleteOne({ _id: task._id }), { deletedCount: 0 }, "delete");
  same((await user.functions.flagTask(task._id, "n")).found, true, "found by the system");
});

scenario("the schema refuses bad documents and leaves the old ones", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  const insertion = { statusCode: 400, errorCode: "SchemaValidationFailedWrite", error: "insert not permitted" };
  const good = { owner: user.id, title: "a", done: false };
  await refused(tasks.insertOne({ ...good, done: "no" }), insertion, "wrong type");
  await refused(tasks.insertOne({ owner: user.id, title: "a" }), insertion, "missing field");
  await refused(tasks.insertOne({ ...good, priority: 6 }), insertion, "over the maximum");
  await refused(tasks.insertOne({ ...good, colour: "red" }), insertion, "unknown field");
  await refused(tasks.insertOne({ ...good, due: null }), insertion, "null");
  await refused(tasks.insertOne({ ...good, tags: ["a", "a"] }), insertion, "not unique");
  await refused(tasks.insertOne({ _id: "text", ...good }), insertion, "wrong type of _id");
  same(await tasks.count(), 0, "nothing inserted");

  await tasks.insertMany([good, { ...good, title: "b", priority: 5 }]);
  await refused(tasks.updateMany({}, { $inc: { priority: 1 } }),
                { statusCode: 400, errorCode: "SchemaValidationFailedWrite", error: "update not permitted" });
  same(await tasks.count({ priority: { $exists: true } }), 1, "nothing updated");
});

scenario("bad queries, updates and pipelines carry the database's message", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  await user.functions.addTask("a");
  const mongo = (error) => ({ statusCode: 400, errorCode: "MongoDBError", error });
  await refused(tasks.find({ $who: 1 }), mongo(/unknown top level operator: \$who/), "query");
  await refused(tasks.updateOne({}, { $who: { a: 1 } }), mongo(/Unknown modifier: \$who/), "update");
  await refused(tasks.aggregate([{ $who: {} }]), mongo(/Unrecognized pipeline stage name: '\$who'/), "pipeline");
  const id = new ObjectId();
  await tasks.insertOne({ _id: id, owner: user.id, title: "b", done: false });
  await refused(tasks.insertOne({ _id: id, owner: user.id, title: "c", done: false }),
                mongo(/^Duplicate key error.*dup key/), "duplicate");
});

scenario("the shared inventory: everyone reads and counts stock, the keeper does the rest", async (s) => {
  const user = await s.guest();
  same(await user.functions.openStore(),
       { store: "Corner Shop (development)", environment: "development", items: (await itemsOf(user).count()) },
       "openStore");
  const items = itemsOf(user);
  const before = await items.findOne({ _id: "pencil" });
  same([before.name, before.unit, before.place.room], ["Pencil", "piece", "front"], "pencil");
  same(await items.updateOne({ _id: "pencil" }, { $set: { stock: 100, "place.shelf": 7 } }),
       { matchedCount: 1, modifiedCount: before.stock === 100 && before.place.shelf === 7 ? 0 : 1 }, "stock");
  const denied = { statusCode: 400, errorCode: "NoMatchingRuleFound", error: "update not permitted" };
  await refused(items.updateOne({ _id: "pencil" }, { $set: { price: new Double(0.1) } }), denied, "price");
  await refused(items.updateOne({ _id: "pencil" }, { $set: { "place.room": "attic" } }), denied, "room");
  await refused(items.updateOne({ _id: "pencil" }, { $set: { stock: -1 } }),
                { ...denied, errorCode: "SchemaValidationFailedWrite" }, "bound");
  await refused(items.deleteOne({ _id: "pencil" }), { statusCode: 400, error: "delete not permitted" }, "delete");
  const sku = unique("pen");
  const pen = { _id: sku, name: "Pen", stock: 3, price: new Double(1.5) };
  await refused(items.insertOne(pen), { statusCode: 400, error: "insert not permitted" }, "insert");

  const keeper = await s.keeper();
  same(await itemsOf(keeper).insertOne(pen), { insertedId: sku }, "keeper's insert");
  same(await itemsOf(keeper).updateOne({ _id: sku }, { $set: { price: new Double(1.75) } }),
       { matchedCount: 1, modifiedCount: 1 }, "keeper's price");
  same((await items.findOne({ _id: sku })).price, 1.75, "price seen by everyone");
  same(await itemsOf(keeper).deleteOne({ _id: sku }), { deletedCount: 1 }, "keeper's delete");
});

scenario("two users are isolated from each other in every operation", async (s) => {
  const [ann, ben] = [await s.guest(), (await s.member()).user];
  const task = await ann.functions.addTask("Ann's secret");
  const tasks = tasksOf(ben);
  const nothing = { matchedCount: 0, modifiedCount: 0 };
  same(await tasks.find(), [], "find");
  same(await tasks.find({ owner: ann.id }), [], "find by owner");
  same(await tasks.findOne({ _id: task._id }), null, "findOne");
  same(await tasks.count({ owner: ann.id }), 0, "count");
  same(await tasks.aggregate([{ $match: { owner: ann.id } }, { $group: { _id: null, n: { $sum: 1 } } }]), [],
       "aggregate");
  same(await tasks.aggregate([{ $count: "n" }]), [], "aggregate without match");
  same(await tasks.updateOne({ _id: task._id }, { $set: { title: "taken" } }), nothing, "updateOne");
  same(await tasks.updateMany({}, { $set: { title: "taken" } }), nothing, "updateMany");
  same(await tasks.findOneAndUpdate({ _id: task._id }, { $set: { owner: ben.id } }), null, "findOneAndUpdate");
  same(await tasks.findOneAndReplace({ _id: task._id }, { owner: ben.id, title: "taken", done: true }), null,
       "findOneAndReplace");
  same(await tasks.deleteOne({ _id: task._id }), { deletedCount: 0 }, "deleteOne");
  same(await tasks.deleteMany({}), { deletedCount: 0 }, "deleteMany");
  same((await ben.functions.flagTask(task._id, "x")).found, false, "system function");
  await refused(tasks.insertOne({ owner: ann.id, title: "in Ann's name", done: false }),
                { statusCode: 400, error: "insert not permitted" }, "insertOne");
  await refused(tasks.insertOne({ _id: task._id, owner: ben.id, title: "same id", done: false }),
                { statusCode: 400, error: /Duplicate key error/ }, "same _id");
  same(await tasksOf(ann).find(), [task], "Ann's task");
});

// --- functions -----------------------------------------------------------------------------------------------------

scenario("a user function runs under the caller's rules and calls a private helper", async (s) => {
  const user = await s.guest();
  const task = await user.functions.addTask("  buy \n milk ", { priority: 2, tags: ["shop"] });
  same({ ...task, _id: null },
       { _id: null, owner: user.id, title: "buy milk", done: false, priority: 2, tags: ["shop"] }, "task");
  same(await tasksOf(user).find(), [task], "stored task");
  await refused(user.functions.addTask("mine", { owner: "somebody else" }),
                { statusCode: 400, errorCode: "FunctionExecutionError", error: /insert not permitted/ }, "other owner");
  await refused(user.functions.addTask("mine", { priority: 9 }),
                { statusCode: 400, errorCode: "FunctionExecutionError", error: /insert not permitted/ }, "schema");
});

scenario("a function that throws is answered with its message", async (s) => {
  const user = await s.guest();
  await refused(user.functions.addTask("   "), {
    statusCode: 400,
    errorCode: "FunctionExecutionError",
    error: '{"message":"a task needs a title","name":"Error"}',
    link: /logs\?co_id=/,
  });
});

scenario("unknown and private functions cannot be told apart", async (s) => {
  const user = await s.guest();
  for (const name of ["nothingHere", "cleanTitle"]) {
    await refused(user.functions.callFunction(name, "x"),
                  { statusCode: 404, errorCode: "FunctionNotFound", error: `function not found: '${name}'` });
  }
});

scenario("values keep their types on the way through the database", async (s) => {
  const user = await s.guest();
  const due = new Date(-62135596800000);
  const task = await user.functions.addTask("types", { due, tags: ["é", "日本", "\u{1F600}", "a\u0000b"] });
  same(task.due, due, "date before 1970");
  same(task.tags, ["é", "日本", "\u{1F600}", "a\u0000b"], "text");
  await refused(tasksOf(user).updateOne({}, { $set: { priority: Long.fromString("9007199254740993") } }),
                { statusCode: 400, errorCode: "SchemaValidationFailedWrite" }, "int64 out of an int's range");
});

scenario("many calls at once are all answered", async (s) => {
  const user = await s.guest();
  const tasks = tasksOf(user);
  await Promise.all(Array.from({ length: 40 }, (_, i) =>
    tasks.insertOne({ owner: user.id, title: `t${i}`, done: i % 2 === 0 })));
  same(await tasks.count(), 40, "count");
  const counts = await Promise.all(Array.from({ length: 20 }, () => tasks.count({ done: true })));
  same([...new Set(counts)], [20], "counts");
});

// Runs all scenarios whose name holds `only`; reports each as soon as it has ended.
export async function runAll(baseUrl, report, only = "") {
  const outcome = { passed: 0, failed: 0 };
  for (const { name, run } of scenarios.filter((entry) => entry.name.includes(only))) {
    const started = Date.now();
    let failure = null;
    try {
      await Promise.race([
        run(baseUrl),
        new Promise((_, reject) => setTimeout(() => reject(new Error("no end within 60 seconds")), 60000)),
      ]);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    outcome[failure === null ? "passed" : "failed"] += 1;
    report({ name, failure, milliseconds: Date.now() - started });
  }
  return outcome;
}
