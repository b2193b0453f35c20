// An app whose users go to another server in the middle: to a node of the same deployment, and to a server of its own.
// realm-web has no updateBaseUrl: an app there is one that is made anew, over the storage that remembers its users.
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Realm from "realm-web";
import { ok, refused, same } from "./check.mjs";
import { startServer } from "./server.mjs";
import { Memory } from "./storage.mjs";

const APP_ID = "tasks-abcde";
const PASSWORD = "corr3ct-horse";
const { emailPassword } = Realm.Credentials;

const tasksOf = (user) => user.mongoClient("mongodb-atlas").db("todo").collection("tasks");

// A server that keeps the state, and two that share it.
async function startNodes({ binary, example }) {
  const key = join(tmpdir(), `restitch-roaming-${process.pid}.key`);
  writeFileSync(key, randomBytes(32));
  const keeper = await startServer({ binary, options: ["--wire", "127.0.0.1:0"] });
  const state = `mongodb://127.0.0.1:${keeper.wirePort}/__restitch_nodes?directConnection=true`;
  const options = ["--state", state, "--secret-key", key];
  const nodes = [await startServer({ binary, app: example, options }), await startServer({ binary, app: example, options })];
  return {
    nodes,
    async stop() {
      const codes = [];
      for (const server of [...nodes, keeper]) codes.push(await server.stop());
      rmSync(key);
      return codes;
    },
  };
}

async function signedIn(url, storage) {
  const app = new Realm.App({ id: APP_ID, baseUrl: url, storage });
  const email = `roaming-${Date.now().toString(36)}@example.org`;
  await app.emailPasswordAuth.registerUser({ email, password: PASSWORD });
  const user = await app.logIn(emailPassword(email, PASSWORD));
  await tasksOf(user).insertOne({ owner: user.id, title: "begun", done: false });
  return { user, email };
}

async function goesToAnotherNode([first, second]) {
  const storage = new Memory();
  const { user } = await signedIn(first.url, storage);
  const there = new Realm.App({ id: APP_ID, baseUrl: second.url, storage });
  same(there.currentUser.id, user.id, "user");
  same((await tasksOf(there.currentUser).find()).map((task) => task.title), ["begun"], "documents");
  await there.currentUser.refreshCustomData();
  same((await tasksOf(there.currentUser).updateOne({}, { $set: { done: true } })).modifiedCount, 1, "updated");
  same(await tasksOf(user).count({ done: true }), 1, "seen on the first node");
  await there.currentUser.logOut();
  await refused(user.refreshCustomData(), { errorCode: "InvalidSession" }, "the session ended on the second node");
}

async function goesToAnotherServer([first], other) {
  const storage = new Memory();
  const { user, email } = await signedIn(first.url, storage);
  const there = new Realm.App({ id: APP_ID, baseUrl: other.url, storage });
  await refused(tasksOf(there.currentUser).find(), { statusCode: 401 }, "a token of another server");
  await there.emailPasswordAuth.registerUser({ email, password: PASSWORD });
  const again = await there.logIn(emailPassword(email, PASSWORD));
  ok(again.id !== user.id, "it is another server's user");
  same(await tasksOf(again).find(), [], "documents");
}

export async function runRoaming({ binary, example, report }) {
  const outcome = { passed: 0, failed: 0 };
  const deployment = await startNodes({ binary, example });
  const other = await startServer({ binary, app: example });
  const test = async (name, body) => {
    const started = Date.now();
    const failure = await body().then(() => null, (error) => error.message);
    outcome[failure === null ? "passed" : "failed"] += 1;
    report({ name, failure, milliseconds: Date.now() - started });
  };
  try {
    await test("a user goes on with another node of the deployment", () => goesToAnotherNode(deployment.nodes));
    await test("another server asks for a new sign-in", () => goesToAnotherServer(deployment.nodes, other));
  } finally {
    const codes = [...(await deployment.stop()), await other.stop()];
    await test("the servers stop in order", async () => same(codes, [0, 0, 0, 0], "exit codes"));
  }
  return outcome;
}
