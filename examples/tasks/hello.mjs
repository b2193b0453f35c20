import * as Realm from "realm-web";

const baseUrl = process.env.RESTITCH_URL ?? "http://127.0.0.1:9090";
const app = new Realm.App({ id: "tasks-abcde", baseUrl });
const user = await app.logIn(Realm.Credentials.anonymous());
const tasks = user.mongoClient("mongodb-atlas").db("todo").collection("tasks");
await tasks.insertOne({ owner: user.id, title: "Try Restitch", done: false });
await tasks.updateOne({ title: "Try Restitch" }, { $set: { done: true } });
console.log(await user.functions.addTask("  tell   a friend "));
console.log(await tasks.find({}, { sort: { title: 1 } }));
