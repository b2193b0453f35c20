// Runs unmodified realm-web against a server: in this process, in Chromium, and the script of the README.
//
//   node run.mjs --binary PATH          starts the server with the example app and a fresh data directory
//   node run.mjs --server URL           uses one that runs already
//   --in node,chromium,redirects,roaming,hello  which of them (default: all)
//   --only TEXT                         only scenarios whose name holds TEXT
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runInChromium } from "./browser.mjs";
import { runRedirects } from "./redirects.mjs";
import { runRoaming } from "./roaming.mjs";
import { runAll } from "./scenarios.mjs";
import { startServer } from "./server.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const example = resolve(here, "../../examples/tasks");
const scratch = join(here, "node_modules", ".restitch"); // inside node_modules, so that imports resolve

const { values: options } = parseArgs({
  options: {
    binary: { type: "string", default: resolve(here, "../../build/release/restitch") },
    server: { type: "string" },
    in: { type: "string", default: "node,chromium,redirects,roaming,hello" },
    only: { type: "string", default: "" },
    chromium: { type: "string", default: process.env.CHROMIUM ?? "/usr/bin/chromium" },
  },
});

const total = { passed: 0, failed: 0 };

function report({ name, failure, milliseconds }) {
  console.log(`${failure === null ? "✔" : "✖"} ${name} (${milliseconds}ms)`);
  if (failure !== null) console.log(`    ${failure}`);
}

function add({ passed, failed }) {
  total.passed += passed;
  total.failed += failed;
}

function fail(name, failure) {
  report({ name, failure, milliseconds: 0 });
  add({ passed: 0, failed: 1 });
}

// The file that the README shows, as it is.
function runHello(url) {
  const script = join(scratch, "hello.mjs");
  copyFileSync(join(example, "hello.mjs"), script);
  const started = Date.now();
  const child = spawnSync(process.execPath, [script], {
    env: { ...process.env, RESTITCH_URL: url }, encoding: "utf8", timeout: 60000,
  });
  const good = child.status === 0 && /title: 'tell a friend'/.test(child.stdout) && /done: true/.test(child.stdout);
  report({
    name: "the README's script runs",
    failure: good ? null : `exit ${child.status ?? child.signal}\n${child.stdout}\n${child.stderr}`,
    milliseconds: Date.now() - started,
  });
  add({ passed: good ? 1 : 0, failed: good ? 0 : 1 });
}

async function runPart(part, url) {
  console.log(`▶ ${part}`);
  if (part === "node") return add(await runAll(url, report, options.only));
  if (part === "hello") return runHello(url);
  if (part === "roaming") return add(await runRoaming({ binary: options.binary, example, report }));
  if (part !== "chromium" && part !== "redirects")
    return fail(part, "unknown part; choose among node, chromium, redirects, roaming and hello");
  if (!existsSync(options.chromium)) return fail("Chromium starts", `no browser at ${options.chromium}`);
  if (part === "redirects") {
    return add(await runRedirects({ binary: options.binary, here, scratch, executablePath: options.chromium, report }));
  }
  const outcome = await runInChromium({
    server: url, here, scratch, executablePath: options.chromium, report, only: options.only,
  });
  console.log(`  Chromium ${outcome.version}`);
  return add(outcome);
}

const server = options.server
  ? { url: options.server, output: [], stop: async () => 0 }
  : await startServer({ binary: options.binary, app: example });
mkdirSync(scratch, { recursive: true });
try {
  for (const part of options.in.split(",")) {
    await runPart(part, server.url).catch((error) => fail(`${part} runs to its end`, error.stack));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
  const code = await server.stop();
  if (code !== 0) fail("the server stops in order", `exit ${code}`);
}
if (total.failed > 0 && server.output.length > 0) {
  console.log(`--- last lines of the server's log\n${server.output.slice(-30).join("\n")}`);
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
