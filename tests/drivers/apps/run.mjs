// Application-like rounds of clients that nobody here wrote, against the embedded cluster of a fresh server.
//
//   node run.mjs --binary PATH          starts the server
//   node run.mjs --port N               uses a server that runs already, on its MongoDB port
//   --in driver,mongoose,mongosh        which clients (default: all)
//   --only TEXT                         only rounds whose name holds TEXT
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startServer } from "../../sdk/server.mjs";
import { rounds as driver } from "./driver.mjs";
import { rounds as mongoose } from "./mongoose.mjs";
import { rounds as mongosh } from "./mongosh.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const ROUND_MILLISECONDS = 60000;
const clients = { driver, mongoose, mongosh };

const { values: options } = parseArgs({
  options: {
    binary: { type: "string", default: resolve(here, "../../../build/release/restitch") },
    port: { type: "string" },
    in: { type: "string", default: Object.keys(clients).join(",") },
    only: { type: "string", default: "" },
  },
});

function within(promise, milliseconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

let passed = 0;
let failed = 0;
process.on("unhandledRejection", (error) => {  // of a client's background work, after its round
  failed += 1;
  console.log(`✖ unhandled: ${error.stack}`);
});

async function runRound(client, name, round, port) {
  const started = Date.now();
  const place = { port, database: `${client}_${name.replaceAll(/[^a-z]+/gi, "_").slice(0, 40)}` };
  const failure = await within(round(place), ROUND_MILLISECONDS).then(() => null, (error) => error);
  console.log(`${failure ? "✖" : "✔"} ${client}: ${name} (${Date.now() - started}ms)`);
  if (failure) console.log(`    ${failure.stack ?? failure}`);
  if (failure) failed += 1;
  else passed += 1;
}

const server = options.port
  ? { wirePort: Number(options.port), output: [], stop: async () => 0 }
  : await startServer({ binary: options.binary, options: ["--wire", "127.0.0.1:0", "--test-commands"] });
try {
  for (const client of options.in.split(",")) {
    for (const [name, round] of Object.entries(clients[client])) {
      if (name.includes(options.only)) await runRound(client, name, round, server.wirePort);
    }
  }
} finally {
  const code = await server.stop();
  if (code !== 0) {
    failed += 1;
    console.log(`✖ the server stops in order: exit ${code}`);
  }
}
if (failed > 0 && server.output.length > 0) {
  console.log(`--- last lines of the server's log\n${server.output.slice(-30).join("\n")}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
