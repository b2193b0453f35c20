'use strict';

// context.http (spec: functions §6): promises of responses over the worker's own http and https modules.

const { FunctionError } = require('./errors.js');
const { digestHeader, parseChallenge } = require('./digest_auth.js');

const MAX_REDIRECTS = 10;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const BODY_VERBS = new Set(['post', 'put', 'patch']);

function httpError(message, code = 'HTTPError') {
  return new FunctionError(message, { code });
}

function urlOf(options, URL) {
  if (options.url !== undefined) {
    try {
      return new URL(String(options.url));
    } catch {
      throw httpError(`invalid url '${String(options.url)}'`);
    }
  }
  const host = options.host === undefined ? options.domain : options.host;
  if (host === undefined) throw httpError('either url or host must be set');
  let url;
  try {
    url = new URL(`${options.scheme === undefined ? 'http' : options.scheme}://${host}`);
  } catch {
    throw httpError(`invalid host '${String(host)}'`);
  }
  if (options.path !== undefined) url.pathname = String(options.path);
  if (options.query) {
    for (const name of Object.keys(options.query)) {
      for (const value of [].concat(options.query[name])) url.searchParams.append(name, String(value));
    }
  }
  if (options.fragment !== undefined) url.hash = String(options.fragment);
  return url;
}

function canonicalName(name) {
  return name.replace(/(^|-)[a-z]/g, (text) => text.toUpperCase());
}

function responseHeaders(raw) {
  const result = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = canonicalName(String(raw[i]).toLowerCase());
    if (Object.hasOwn(result, name)) result[name].push(raw[i + 1]);
    else result[name] = [raw[i + 1]];
  }
  return result;
}

function responseCookies(headers) {
  const result = {};
  for (const line of headers['Set-Cookie'] || []) {
    const match = /^\s*([^=;]+)=([^;]*)/.exec(line);
    if (match !== null) result[match[1].trim()] = match[2].trim();
  }
  return result;
}

module.exports = function createHttpClient(host, types, ejson, requestOf) {
  const { Buffer, http, https, URL, crypto } = host;

  function multipart(form) {
    const boundary = `restitch-${crypto.randomBytes(16).toString('hex')}`;
    let text = '';
    for (const name of Object.keys(form)) {
      const safe = name.replace(/["\r\n]/g, encodeURIComponent);
      text += `--${boundary}\r\nContent-Disposition: form-data; name="${safe}"\r\n\r\n${String(form[name])}\r\n`;
    }
    return { type: `multipart/form-data; boundary=${boundary}`, data: Buffer.from(`${text}--${boundary}--\r\n`) };
  }

  function bodyOf(verb, options) {
    if (!BODY_VERBS.has(verb)) return undefined;
    const { body, form } = options;
    if (form !== undefined && form !== null) {
      if (body !== undefined && body !== null) throw httpError('body and form exclude each other');
      return multipart(form);
    }
    if (options.encodeBodyAsJSON) return { type: 'application/json', data: Buffer.from(ejson.stringify(body)) };
    if (body === undefined || body === null) return undefined;
    if (typeof body === 'string') return { type: undefined, data: Buffer.from(body) };
    if (body._bsontype === 'Binary') return { type: undefined, data: Buffer.from(body.buffer.subarray(0, body.position)) };
    if (ArrayBuffer.isView(body)) return { type: undefined, data: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
    throw httpError('body must be a string or a BSON.Binary unless encodeBodyAsJSON is set');
  }

  function requestHeaders(options, body) {
    const headers = {};
    const given = options.headers || {};
    for (const name of Object.keys(given)) {
      const values = [].concat(given[name]).map(String);
      headers[name] = values.length === 1 ? values[0] : values;
    }
    const has = (wanted) => Object.keys(headers).some((name) => name.toLowerCase() === wanted);
    if (body !== undefined) {
      if (body.type !== undefined && !has('content-type')) headers['Content-Type'] = body.type;
      headers['Content-Length'] = body.data.length;
    }
    if (!has('user-agent')) headers['User-Agent'] = 'Restitch';
    if (options.cookies) {
      const pairs = Object.keys(options.cookies).map((name) => `${name}=${String(options.cookies[name])}`);
      if (pairs.length > 0) headers.Cookie = pairs.join('; ');
    }
    return headers;
  }

  function credentials(options, url) {
    const username = options.username === undefined ? decodeURIComponent(url.username) : String(options.username);
    const password = options.password === undefined ? decodeURIComponent(url.password) : String(options.password);
    return username === '' ? undefined : { username, password };
  }

  // One exchange; the body is read to its end.
  function exchange(method, url, headers, data) {
    const transport = url.protocol === 'https:' ? https : url.protocol === 'http:' ? http : undefined;
    if (transport === undefined) return Promise.reject(httpError(`unsupported scheme '${url.protocol.slice(0, -1)}'`));
    return new Promise((resolve, reject) => {
      const target = { method, headers, protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port || undefined, path: url.pathname + url.search };
      const failed = (error) => reject(httpError(error.message, error.code === 'RestrictedHost' ? error.code : undefined));
      const outgoing = transport.request(target, (incoming) => {
        const chunks = [];
        let size = 0;
        incoming.on('data', (chunk) => {
          size += chunk.length;
          if (size > MAX_BODY_BYTES) incoming.destroy(new Error('the response body is too large'));
          else chunks.push(chunk);
        });
        incoming.on('error', failed);
        incoming.on('end', () => resolve({ status: incoming.statusCode, text: incoming.statusMessage,
          headers: responseHeaders(incoming.rawHeaders), body: Buffer.concat(chunks) }));
      });
      outgoing.on('error', failed);
      outgoing.end(data);
    });
  }

  async function authorized(verb, url, headers, body, options) {
    const method = verb.toUpperCase();
    const data = body === undefined ? undefined : body.data;
    const login = credentials(options, url);
    if (login === undefined) return exchange(method, url, headers, data);
    if (!options.digestAuth) {
      const token = Buffer.from(`${login.username}:${login.password}`).toString('base64');
      return exchange(method, url, { ...headers, Authorization: `Basic ${token}` }, data);
    }
    const first = await exchange(method, url, headers, data);
    const challenge = first.status === 401 ? parseChallenge((first.headers['Www-Authenticate'] || []).join(', ')) : undefined;
    if (challenge === undefined) return first;
    const Authorization = digestHeader(crypto, challenge, method, url.pathname + url.search, login);
    return exchange(method, url, { ...headers, Authorization }, data);
  }

  async function authorizationCookie(options, headers) {
    if (options.authUrl === undefined || options.authUrl === null) return headers;
    const answer = await exchange('GET', urlOf({ url: options.authUrl }, URL), {}, undefined);
    const cookies = responseCookies(answer.headers);
    const pairs = Object.keys(cookies).map((name) => `${name}=${cookies[name]}`);
    if (headers.Cookie !== undefined) pairs.unshift(headers.Cookie);
    return pairs.length === 0 ? headers : { ...headers, Cookie: pairs.join('; ') };
  }

  function withoutCredentials(headers) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(authorization|cookie)$/i.test(name)));
  }

  async function run(verb, options) {
    if (typeof options !== 'object' || options === null) throw httpError('the options must be an object');
    let url = urlOf(options, URL);
    let body = bodyOf(verb, options);
    let headers = await authorizationCookie(options, requestHeaders(options, body));
    let current = verb;
    let settings = options;
    for (let redirects = 0; ; ++redirects) {
      const answer = await authorized(current, url, headers, body, settings);
      const location = answer.headers.Location;
      if (!options.followRedirects || !REDIRECTS.has(answer.status) || location === undefined) return answer;
      if (redirects >= MAX_REDIRECTS) throw httpError('too many redirects');
      const next = new URL(location[0], url);
      if (next.origin !== url.origin) {
        headers = withoutCredentials(headers);
        settings = {};
      }
      if (answer.status === 303 || (answer.status < 303 && current === 'post')) {
        current = current === 'head' ? 'head' : 'get';
        body = undefined;
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !/^content-/i.test(name)));
      }
      url = next;
    }
  }

  function responseOf(answer) {
    const declared = answer.headers['Content-Length'];
    return {
      status: `${answer.status} ${answer.text}`.trim(),
      statusCode: answer.status,
      contentLength: declared === undefined ? answer.body.length : Number(declared[0]),
      headers: answer.headers,
      cookies: responseCookies(answer.headers),
      body: new types.Binary(answer.body, 0),
    };
  }

  function verb(name) {
    return async (options) => {
      const request = requestOf();
      request.hold();
      try {
        return responseOf(await run(name, options));
      } finally {
        request.release();
      }
    };
  }

  const client = { get: verb('get'), post: verb('post'), put: verb('put'), patch: verb('patch'), delete: verb('delete'),
    head: verb('head') };
  return { client, post: verb('post') };
};
