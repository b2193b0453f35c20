// Starts and stops the server under test and a static file server, all on 127.0.0.1.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MILLISECONDS = 60000;
const STOP_MILLISECONDS = 20000;
const READY_ID = 1; // of the log line "Server ready", which names the port

const WIRE_READY_ID = 1201; // of the one that names the port of `--wire`, before that

// Runs `restitch serve` on a free port with a fresh data directory, and resolves when it is ready.
export async function startServer({ binary, app, options = [] }) {
  const data = mkdtempSync(join(tmpdir(), "restitch-sdk-"));
  const args = ["serve", "--data", data, "--listen", "127.0.0.1:0", ...(app ? ["--app", app] : []), ...options];
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  const output = [];
  const exited = once(child, "exit");
  const port = await readyPort(child, output).catch((error) => {
    child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
    throw new Error(`${error.message}\n${output.slice(-40).join("\n")}`);
  });
  return {
    url: `http://127.0.0.1:${port}`,
    wirePort: output.map(parseLogLine).find((entry) => entry?.id === WIRE_READY_ID)?.attr.port,
    output,
    // Stops the server in order; resolves to its exit code, or to the signal that ended it.
    async stop() {
      const force = setTimeout(() => child.kill("SIGKILL"), STOP_MILLISECONDS);
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const [code, signal] = await exited;
      clearTimeout(force);
      rmSync(data, { recursive: true, force: true });
      return code ?? signal;
    },
  };
}

function readyPort(child, output) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the server was not ready in time")), START_MILLISECONDS);
    const finish = (settle, value) => {
      clearTimeout(timer);
      settle(value);
    };
    child.once("error", (error) => finish(reject, error));
    child.once("exit", (code, signal) => finish(reject, new Error(`the server ended at its start: ${code ?? signal}`)));
    forEachLine(child.stderr, (line) => output.push(line));
    forEachLine(child.stdout, (line) => {
      output.push(line);
      const entry = parseLogLine(line);
      if (entry?.id === READY_ID && entry.c === "SERVER") finish(resolve, entry.attr.port);
    });
  });
}

function parseLogLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function forEachLine(stream, visit) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    lines.forEach(visit);
  });
}

// Serves these files: path to {file, type}.
export async function serveFiles(files) {
  const server = createServer((request, response) => {
    const entry = files[request.url.split("?")[0]];
    if (!entry) {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("not found");
      return;
    }
    response.writeHead(200, { "Content-Type": entry.type }).end(readFileSync(entry.file));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
