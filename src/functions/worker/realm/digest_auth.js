'use strict';

// HTTP digest authentication (RFC 7616) with MD5 or SHA-256, quality of protection `auth` or none.

function parseChallenge(header) {
  const match = /(?:^|,\s*)Digest\s+(.*)$/i.exec(header);
  if (match === null) return undefined;
  const challenge = {};
  for (const part of match[1].matchAll(/([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi)) {
    challenge[part[1].toLowerCase()] = part[2] === undefined ? part[3] : part[2].replace(/\\(.)/g, '$1');
  }
  return challenge.nonce === undefined ? undefined : challenge;
}

function quote(text) {
  return `"${String(text).replace(/["\\]/g, '\\$&')}"`;
}

function digestHeader(crypto, challenge, method, uri, { username, password }) {
  const algorithm = challenge.algorithm === undefined ? 'MD5' : challenge.algorithm;
  const name = /^SHA-256/i.test(algorithm) ? 'sha256' : 'md5';
  const hash = (text) => crypto.createHash(name).update(text).digest('hex');
  const cnonce = crypto.randomBytes(8).toString('hex');
  const nc = '00000001';
  const hasQop = challenge.qop !== undefined && challenge.qop.split(',').some((item) => item.trim() === 'auth');

  let secret = hash(`${username}:${challenge.realm}:${password}`);
  if (/-sess$/i.test(algorithm)) secret = hash(`${secret}:${challenge.nonce}:${cnonce}`);
  const request = hash(`${method}:${uri}`);
  const response = hasQop ? hash(`${secret}:${challenge.nonce}:${nc}:${cnonce}:auth:${request}`)
    : hash(`${secret}:${challenge.nonce}:${request}`);

  const parts = [`username=${quote(username)}`, `realm=${quote(challenge.realm)}`, `nonce=${quote(challenge.nonce)}`,
    `uri=${quote(uri)}`, `response="${response}"`, `algorithm=${algorithm}`];
  if (hasQop) parts.push('qop=auth', `nc=${nc}`, `cnonce="${cnonce}"`);
  if (challenge.opaque !== undefined) parts.push(`opaque=${quote(challenge.opaque)}`);
  return `Digest ${parts.join(', ')}`;
}

module.exports = { digestHeader, parseChallenge };
