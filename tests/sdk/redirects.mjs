// Signing in and linking on an identity provider's page in Chromium: realm-web opens a window, the provider (a fake) sends it
// back to the server, and the server to the app's redirect page, which is of another origin than the server.
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { ok, same } from "./check.mjs";
import { serveFiles, startServer } from "./server.mjs";

const APP_ID = "redirects-abcde";

// Google as far as the server needs it. `person` is who signs in next; null declines.
async function startProvider() {
  const provider = { person: "ada" };
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://provider");
    const answer = (body) => response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
    if (url.pathname === "/o/oauth2/v2/auth") {
      const back = new URL(url.searchParams.get("redirect_uri"));
      back.searchParams.set("state", url.searchParams.get("state"));
      back.searchParams.set(...(provider.person ? ["code", provider.person] : ["error", "access_denied"]));
      response.writeHead(302, { Location: back.href }).end();
    } else if (url.pathname === "/token") {
      let form = "";
      request.on("data", (piece) => { form += piece; });
      request.on("end", () => answer({ access_token: new URLSearchParams(form).get("code") }));
    } else {
      const name = request.headers.authorization.replace("Bearer ", "");
      answer({ sub: `google-${name}`, email: `${name}@example.org`, name });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  provider.url = `http://127.0.0.1:${server.address().port}`;
  provider.stop = () => { server.closeAllConnections(); server.close(); };
  return provider;
}

function writeApp(folder, redirectPage) {
  const files = {
    "realm_config.json": { config_version: 20210101, app_id: APP_ID, name: "redirects" },
    "auth/providers.json": {
      "anon-user": { name: "anon-user", type: "anon-user", disabled: false },
      "oauth2-google": {
        name: "oauth2-google", type: "oauth2-google", disabled: false,
        config: { clientId: "client", openId: false }, secret_config: { clientSecret: "google_secret" },
        metadata_fields: [{ name: "email", required: true }], redirect_uris: [redirectPage],
      },
    },
    "secrets.json": { auth_providers: { "oauth2-google": { clientSecret: "secret" } } },
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), JSON.stringify(content));
  }
}

// The app's page offers `signIn` and `link`, to be started by a click so that the browser lets it open a window.
const PAGE_SCRIPT = `
import * as Realm from "realm-web";
if (location.pathname === "/redirect") {
  Realm.handleAuthRedirect();
} else {
  const server = new URLSearchParams(location.search).get("server");
  const app = new Realm.App({ id: "${APP_ID}", baseUrl: server });
  const credentials = () => Realm.Credentials.google({ redirectUrl: location.origin + "/redirect" });
  const shown = (user) => ({ id: user.id, email: user.profile.email, kinds: user.identities.map((i) => i.providerType) });
  const actions = {
    signIn: async () => shown(await app.logIn(credentials())),
    guest: async () => shown(await app.logIn(Realm.Credentials.anonymous(false))),
    link: async () => { await app.currentUser.linkCredentials(credentials()); return shown(app.currentUser); },
    refresh: async () => { await app.currentUser.refreshAccessToken(); return shown(app.currentUser); },
  };
  for (const [name, action] of Object.entries(actions)) {
    const button = document.createElement("button");
    button.id = name;
    button.onclick = () => action().then((value) => window.reportDone({ value }), (error) => window.reportDone({ error: String(error) }));
    document.documentElement.append(button);
  }
}`;

export async function runRedirects({ binary, here, scratch, executablePath, report }) {
  const outcome = { passed: 0, failed: 0 };
  const bundle = join(scratch, "redirects.js");
  await build({
    stdin: { contents: PAGE_SCRIPT, resolveDir: here }, outfile: bundle, bundle: true, format: "iife", platform: "browser",
    target: "es2022", define: { global: "globalThis" }, logLevel: "warning",
  });
  const html = join(scratch, "redirects.html");
  writeFileSync(html, '<!doctype html><meta charset="utf-8"><script src="/bundle.js"></script>');
  const page = { file: html, type: "text/html" };
  const pages = await serveFiles({ "/": page, "/redirect": page, "/bundle.js": { file: bundle, type: "text/javascript" } });
  const provider = await startProvider();
  const folder = join(scratch, "redirects-app");
  writeApp(folder, `${pages.url}/redirect`);
  const server = await startServer({ binary, app: folder, options: [`--identity-provider=google=${provider.url}`] });
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], headless: true });
  try {
    const test = async (name, body) => {
      const started = Date.now();
      const context = await browser.newContext();
      try {
        await body(await open(context, `${pages.url}/?${new URLSearchParams({ server: server.url })}`));
        outcome.passed += 1;
        report({ name, failure: null, milliseconds: Date.now() - started });
      } catch (error) {
        outcome.failed += 1;
        report({ name, failure: error.stack, milliseconds: Date.now() - started });
      } finally {
        await context.close();
      }
    };
    await test("a window of the provider signs in", async (click) => {
      const user = await click("signIn");
      same(user.kinds, ["oauth2-google"], "identities");
      same(user.email, "ada@example.org", "e-mail");
      same((await click("refresh")).id, user.id, "the tokens work");
      same((await click("signIn")).id, user.id, "the same person is the same user");
    });
    await test("a window of the provider links an identity to a guest", async (click) => {
      const guest = await click("guest");
      provider.person = "bob";
      const linked = await click("link");
      same(linked.id, guest.id, "user id");
      same(linked.kinds, ["anon-user", "oauth2-google"], "identities");
      same((await click("signIn")).id, guest.id, "signing in gives the linked user");
    });
    await test("a person who declines is told so", async (click) => {
      provider.person = null;
      const failure = await click("signIn").then(() => null, (error) => error);
      ok(failure !== null, "an error is thrown");
    });
  } finally {
    await browser.close();
    pages.stop();
    provider.stop();
    const code = await server.stop();
    if (code !== 0) outcome.failed += 1;
  }
  return outcome;
}

// Opens the page; what it gives clicks a button there and resolves to what the action gave.
async function open(context, url) {
  const page = await context.newPage();
  let settle;
  await page.exposeFunction("reportDone", (outcome) => settle(outcome));
  await page.goto(url);
  return async (button) => {
    const done = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${button} did not end in time`)), 20000);
      settle = ({ value, error }) => {
        clearTimeout(timer);
        if (error) reject(new Error(error));
        else resolve(value);
      };
    });
    await page.click(`#${button}`);
    return done;
  };
}
