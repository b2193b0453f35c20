// mongosh: one process for each round, a script from its command line, JSON or text back.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const program = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "mongosh", "bin", "mongosh.js");

// Runs the script; resolves to what it printed.
function shell({ port, database }, script, uriOptions = "") {
  const home = mkdtempSync(join(tmpdir(), "restitch-mongosh-"));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, `mongodb://127.0.0.1:${port}/${database}${uriOptions}`, "--quiet", "--norc", "--eval", script],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, HOME: home, NO_COLOR: "1" } });
    let output = "";
    child.stdout.on("data", (data) => { output += data; });
    child.stderr.on("data", (data) => { output += data; });
    child.once("error", reject);
    child.once("close", (code) => {
      rmSync(home, { recursive: true, force: true });
      if (code === 0) resolve(output.trim());
      else reject(new Error(`mongosh ended with ${code}\n${output}`));
    });
  });
}

// A script whose last printed line is JSON.
async function ask(place, script, uriOptions) {
  const output = await shell(place, `const show = (value) => print(EJSON.stringify(value));\n${script}`, uriOptions);
  return JSON.parse(output.split("\n").at(-1));
}

async function connects(place) {
  assert.equal(await shell(place, "db.hello().setName"), "restitch");
  assert.equal(await shell(place, "db.version()", "?replicaSet=restitch"), "7.0.14");
  const names = await ask(place, "db.a.insertOne({x: 1}); db.createView('v', 'a', []); show({names: db.getCollectionNames(), infos: db.getCollectionInfos().map((info) => info.type)})");
  assert.deepEqual(names.names.filter((name) => name !== "system.views").sort(), ["a", "v"]);
  assert.match(await shell(place, "show('dbs')"), new RegExp(`^${place.database} +[0-9.]+ (B|KiB|MiB)$`, "m"));
  assert.match(await shell(place, "show('collections')"), /^a\n[^]*v +\[view\]/);
}

async function doesAnEverydayRound(place) {
  const reply = await ask(place, `
    db.pets.insertMany([{_id: 1, name: 'Rex', kind: 'dog'}, {_id: 2, name: 'Tom', kind: 'cat', lives: NumberLong(9)}]);
    db.pets.updateOne({_id: 1}, {$set: {legs: 4}}, {upsert: true});
    db.pets.createIndex({kind: 1, name: 1});
    let refused;
    try { db.pets.insertOne({_id: 1}); } catch (error) { refused = error.message; }
    show({
      found: db.pets.find({kind: 'cat'}).sort({name: 1}).toArray(), count: db.pets.countDocuments(), refused,
      indexes: db.pets.getIndexes().map((index) => index.name), kinds: db.pets.distinct('kind').sort(),
      plan: db.pets.find({kind: 'dog'}).explain().queryPlanner.winningPlan.inputStage.stage,
      sums: db.pets.aggregate([{$group: {_id: null, legs: {$sum: '$legs'}}}]).toArray(),
      stats: db.pets.stats().count, size: typeof db.stats().dataSize, status: db.serverStatus().process, rs: rs.status().myState,
      dropped: db.pets.drop(),
    });`);
  assert.deepEqual(reply, {
    found: [{ _id: 2, name: "Tom", kind: "cat", lives: 9 }], count: 2,
    refused: `E11000 duplicate key error collection: ${place.database}.pets index: _id_ dup key: { _id: 1 }`,
    indexes: ["_id_", "kind_1_name_1"], kinds: ["cat", "dog"], plan: "IXSCAN", sums: [{ _id: null, legs: 4 }], stats: 2,
    size: "number", status: "mongod", rs: 1, dropped: true,
  });
}

async function runsATransaction(place) {
  const reply = await ask(place, `
    db.money.insertOne({_id: 'a', n: 1});
    const session = db.getMongo().startSession();
    const money = session.getDatabase(db.getName()).money;
    session.startTransaction();
    money.updateOne({_id: 'a'}, {$inc: {n: 5}});
    const outside = db.money.findOne().n;
    session.commitTransaction();
    session.startTransaction();
    money.deleteMany({});
    session.abortTransaction();
    session.endSession();
    show({outside, after: db.money.findOne().n});`);
  assert.deepEqual(reply, { outside: 1, after: 6 });
}

async function followsChanges(place) {
  const reply = await ask(place, `
    db.createCollection('log');
    const stream = db.log.watch();
    stream.tryNext();
    db.log.insertOne({_id: 7});
    let change;
    for (let attempt = 0; !change && attempt < 50; attempt++) change = stream.tryNext();
    stream.close();
    show({type: change.operationType, id: change.documentKey._id});`);
  assert.deepEqual(reply, { type: "insert", id: 7 });
}

async function iterates(place) {
  const output = await shell(place, "db.many.insertMany(Array.from({length: 45}, (_, n) => ({_id: n}))); print(db.many.find().itcount()); db.many.find()");
  assert.match(output, /^45\n/);
  assert.match(output, /Type "it" for more/);
}

export const rounds = {
  "connects and looks around": connects,
  "does an everyday round": doesAnEverydayRound,
  "runs a transaction": runsATransaction,
  "follows changes": followsChanges,
  "iterates": iterates,
};
