'use strict';

// utils.jwt of functions (spec: functions §5.4).

const { DOUBLE } = require('./numbers.js');

module.exports = function createJwtUtils(crypto, Buffer, memoryOf) {
  const METHOD = /^(HS|RS|ES|PS)(256|384|512)$/;

  function methodOf(name) {
    const match = METHOD.exec(name);
    if (match === null) throw new TypeError(`unsupported signing method '${name}'`);
    return { family: match[1], digest: `sha${match[2]}` };
  }

  function keyOptions(family, key) {
    const { constants } = crypto;
    if (family === 'PS') {
      return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    }
    return family === 'ES' ? { key, dsaEncoding: 'ieee-p1363' } : { key };
  }

  function signatureOf({ family, digest }, text, key) {
    if (family === 'HS') return crypto.createHmac(digest, key).update(text).digest();
    return crypto.sign(digest, Buffer.from(text), keyOptions(family, key));
  }

  function isValid({ family, digest }, text, key, signature) {
    if (family === 'HS') {
      const expected = crypto.createHmac(digest, key).update(text).digest();
      return expected.length === signature.length && crypto.timingSafeEqual(expected, signature);
    }
    return crypto.verify(digest, Buffer.from(text), keyOptions(family, key), signature);
  }

  const base64url = (text) => Buffer.from(text, 'utf8').toString('base64url');

  // Numeric claims are doubles.
  function markDoubles(value) {
    if (typeof value !== 'object' || value === null) return;
    for (const name of Object.keys(value)) {
      const key = Array.isArray(value) ? Number(name) : name;
      const member = value[name];
      if (typeof member === 'number') memoryOf().record(value, key, member, DOUBLE, 0, 0);
      else markDoubles(member);
    }
  }

  function encode(method, payload, secret, customHeaderFields) {
    const how = methodOf(method);
    const header = { alg: method, typ: 'JWT', ...customHeaderFields };
    const text = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}`;
    return `${text}.${signatureOf(how, text, secret).toString('base64url')}`;
  }

  function parse(part) {
    try {
      return JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    } catch {
      throw new TypeError('the token is malformed');
    }
  }

  function decode(token, key, returnHeader = false, acceptedSigningMethods = undefined) {
    const parts = String(token).split('.');
    if (parts.length !== 3) throw new TypeError('the token must have three parts');
    const header = parse(parts[0]);
    const accepted = Array.isArray(acceptedSigningMethods) && acceptedSigningMethods.length > 0;
    if (accepted && !acceptedSigningMethods.includes(header.alg)) {
      throw new TypeError(`the signing method '${header.alg}' is not accepted`);
    }
    const how = methodOf(header.alg);
    // A public key must not serve as the secret of a hash-based signature.
    if (how.family === 'HS' && !accepted && /-----BEGIN/.test(String(key))) {
      throw new TypeError('the signing method does not fit the key');
    }
    const signature = Buffer.from(parts[2], 'base64url');
    if (!isValid(how, `${parts[0]}.${parts[1]}`, key, signature)) throw new TypeError('the signature is invalid');
    const payload = parse(parts[1]);
    markDoubles(payload);
    return returnHeader ? { header, payload } : payload;
  }

  return { encode, decode };
};
