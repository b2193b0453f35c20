'use strict';

// The response of an HTTPS endpoint or webhook (spec: functions §8.5), also constructible as HTTPResponse.

function canonicalName(name) {
  return String(name).toLowerCase().replace(/(^|-)[a-z]/g, (text) => text.toUpperCase());
}

module.exports = function createHttpResponse(types) {
  const states = new WeakMap();

  class HTTPResponse {
    constructor() {
      states.set(this, { statusCode: undefined, headers: new Map(), body: undefined });
    }

    setStatusCode(code) {
      const value = Number(code);
      if (!Number.isInteger(value) || value < 100 || value > 999) throw new TypeError('invalid status code');
      states.get(this).statusCode = value;
    }

    setBody(body) {
      states.get(this).body = body !== null && typeof body === 'object' && body._bsontype === 'Binary' ? body
        : types.Binary.fromText(typeof body === 'string' ? body : String(body));
    }

    setHeader(name, value) { states.get(this).headers.set(canonicalName(name), [String(value)]); }

    addHeader(name, value) {
      const { headers } = states.get(this);
      const key = canonicalName(name);
      headers.set(key, (headers.get(key) || []).concat(String(value)));
    }
  }

  // What the function did to it: {statusCode?, headers, body?}.
  function describe(response) {
    const { statusCode, headers, body } = states.get(response);
    const result = { headers: Object.fromEntries(headers) };
    if (statusCode !== undefined) result.statusCode = statusCode;
    if (body !== undefined) result.body = body;
    return result;
  }

  return { HTTPResponse, describe };
};
