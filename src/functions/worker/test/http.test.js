'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const test = require('node:test');
const { WorkerClient, appOf } = require('../testing/client.js');
const { isBlocked } = require('../host/network_policy.js');

const md5 = (text) => crypto.createHash('md5').update(text).digest('hex');

function digestIsValid(header) {
  const part = (name) => new RegExp(`${name}="?([^",]+)`).exec(header)[1];
  const secret = md5('u:r:p');
  return part('response') === md5(`${secret}:n1:${part('nc')}:${part('cnonce')}:auth:${md5('GET:/digest?a=1')}`);
}

function answer(request, body, response) {
  const { pathname } = new URL(request.url, 'http://x');
  switch (pathname) {
    case '/redirect':
      response.writeHead(302, { Location: '/echo' });
      return response.end();
    case '/login':
      response.writeHead(200, { 'Set-Cookie': 'token=abc; Path=/' });
      return response.end();
    case '/digest':
      if (!request.headers.authorization) {
        response.writeHead(401, { 'WWW-Authenticate': 'Digest realm="r", nonce="n1", qop="auth"' });
        return response.end();
      }
      return response.end(String(digestIsValid(request.headers.authorization)));
    default:
      response.writeHead(200, { 'X-Two': ['a', 'b'], 'set-cookie': 'c=d; HttpOnly' });
      return response.end(JSON.stringify({ method: request.method, url: request.url, body: body.toString(),
        type: request.headers['content-type'], authorization: request.headers.authorization,
        cookie: request.headers.cookie, extra: request.headers['x-extra'] }));
  }
}

async function withServer(run) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => answer(request, Buffer.concat(chunks), response));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const worker = new WorkerClient(appOf({
    send: 'exports = async (verb, options) => { const r = await context.http[verb](options); return {...r, text: r.body.text()}; };',
    axios_like: `exports = (url) => new Promise((done, fail) => require('http').get(url, (r) => {
      let text = ''; r.on('data', (d) => { text += d; }); r.on('end', () => done(text)); }).on('error', fail));`,
    fire: `exports = (url) => { require('http').get(url, (r) => { r.resume(); r.on('end', () => console.log('done')); }); };`,
  }));
  try {
    await run(worker, `http://127.0.0.1:${server.address().port}`);
  } finally {
    await worker.stop();
    server.closeAllConnections();
    server.close();
  }
}

test('context.http', async (t) => {
  await withServer(async (worker, base) => {
    const send = async (verb, options) => {
      const frame = await worker.call('send', verb, options);
      assert.equal(frame.t, 'result', frame.message);
      return frame.value;
    };
    const echo = async (verb, options) => JSON.parse((await send(verb, options)).text);

    await t.test('answers with status, headers, cookies and body', async () => {
      const result = await send('get', { url: `${base}/echo?a=1` });
      assert.equal(result.status, '200 OK');
      assert.equal(Number(result.statusCode), 200);
      assert.deepEqual(result.headers['X-Two'], ['a', 'b']);
      assert.deepEqual(result.cookies, { c: 'd' });
      assert.equal(JSON.parse(result.text).url, '/echo?a=1');
    });
    await t.test('takes the parts of a url', async () => {
      const { host } = new URL(base);
      const result = await echo('get', { scheme: 'http', host, path: '/a b', query: { q: ['1', '2'] }, username: 'u', password: 'p' });
      assert.equal(result.url, '/a%20b?q=1&q=2');
      assert.equal(result.authorization, `Basic ${Buffer.from('u:p').toString('base64')}`);
    });
    await t.test('sends bodies, headers and cookies', async () => {
      const json = await echo('post', { url: base, body: { a: 1 }, encodeBodyAsJSON: true, headers: { 'X-Extra': ['1'] }, cookies: { k: 'v' } });
      assert.deepEqual([json.method, json.body, json.type, json.extra, json.cookie],
        ['POST', '{"a":{"$numberInt":"1"}}', 'application/json', '1', 'k=v']);
      assert.equal((await echo('put', { url: base, body: 'text' })).body, 'text');
      assert.match((await echo('patch', { url: base, form: { name: 'x' } })).body, /name="name"\r\n\r\nx\r\n/);
    });
    await t.test('follows redirects only when asked', async () => {
      assert.equal(Number((await send('get', { url: `${base}/redirect` })).statusCode), 302);
      assert.equal((await echo('get', { url: `${base}/redirect`, followRedirects: true })).url, '/echo');
    });
    await t.test('authenticates by digest and by cookie', async () => {
      const { host } = new URL(base);
      assert.equal((await send('get', { url: `http://u:p@${host}/digest?a=1`, digestAuth: true })).text, 'true');
      assert.equal((await echo('get', { url: base, authUrl: `${base}/login` })).cookie, 'token=abc');
    });
    await t.test('wrong options are errors', async () => {
      const frame = await worker.call('send', 'post', { url: base, body: 'a', form: { b: 1 } });
      assert.equal(frame.message, 'body and form exclude each other');
    });
    await t.test('modules of Node reach the network too, and the answer waits for them', async () => {
      assert.equal(JSON.parse((await worker.call('axios_like', `${base}/x`)).value).url, '/x');
      assert.deepEqual((await worker.call('fire', `${base}/x`)).logs, ['done']);
      assert.match((await worker.call('axios_like', 'http://[fe80::1]/')).message, /restricted/);
    });
  });
});

test('link-local addresses in every form are blocked', () => {
  for (const address of ['169.254.169.254', 'fe80::1', 'fe80::1%eth0', '::ffff:169.254.1.1', 'fd00:ec2::254']) {
    assert.ok(isBlocked(address), address);
  }
  for (const address of ['10.0.0.1', '127.0.0.1', '::1', 'fd00::1', 'example.org']) assert.ok(!isBlocked(address), address);
});
