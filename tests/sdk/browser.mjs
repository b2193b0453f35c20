// Runs the scenarios in Chromium, on a page of another origin than the server's.
import { join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { serveFiles } from "./server.mjs";

const WHOLE_RUN_MILLISECONDS = 300000;
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export async function runInChromium({ server, here, scratch, executablePath, report, only }) {
  const bundle = join(scratch, "bundle.js");
  await build({
    entryPoints: [join(here, "page.mjs")], outfile: bundle, bundle: true, format: "iife", platform: "browser",
    target: "es2022", define: { global: "globalThis" }, logLevel: "warning",
  });
  const pages = await serveFiles({
    "/": { file: join(here, "page.html"), type: "text/html" },
    "/bundle.js": { file: bundle, type: "text/javascript" },
  });
  const browser = await chromium.launch({ executablePath, args: FLAGS, headless: true, timeout: 60000 });
  try {
    const page = await browser.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    let settle;
    const ended = new Promise((resolve) => { settle = resolve; });
    const timer = setTimeout(() => settle({ error: `the page did not end in time; ${problems.join("; ")}` }),
                             WHOLE_RUN_MILLISECONDS);
    await page.exposeFunction("reportResult", report);
    await page.exposeFunction("reportEnd", settle);
    const query = new URLSearchParams({ server, only });
    await page.goto(`${pages.url}/?${query}`);
    const outcome = await ended;
    clearTimeout(timer);
    if (outcome.error) throw new Error(outcome.error);
    return { ...outcome, version: browser.version() };
  } finally {
    await browser.close();
    pages.stop();
  }
}
