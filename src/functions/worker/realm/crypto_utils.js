'use strict';

// utils.crypto of functions (spec: functions §5.3).

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const AES_BITS = { 16: 128, 24: 192, 32: 256 };
const HASHES = ['sha1', 'sha256', 'md5'];
const HMAC_HASHES = ['sha1', 'sha256', 'sha512'];

module.exports = function createCryptoUtils(crypto, Buffer, Binary) {
  const binary = (data) => new Binary(data, 0);

  function bytesOf(input) {
    if (typeof input === 'string') return Buffer.from(input, 'utf8');
    if (input !== null && typeof input === 'object' && input._bsontype === 'Binary') {
      return Buffer.from(input.buffer.subarray(0, input.position));
    }
    if (ArrayBuffer.isView(input)) return Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    throw new TypeError('the input must be a string or a BSON.Binary');
  }

  function aesName(method, key) {
    if (method !== 'aes') throw new TypeError(`unsupported encryption method '${method}'`);
    const bits = AES_BITS[key.length];
    if (bits === undefined) throw new TypeError('an AES key must have 16, 24 or 32 bytes');
    return `aes-${bits}-gcm`;
  }

  function encrypt(method, message, secret) {
    const key = bytesOf(secret);
    const nonce = crypto.randomBytes(NONCE_BYTES);
    const cipher = crypto.createCipheriv(aesName(method, key), key, nonce);
    return binary(Buffer.concat([nonce, cipher.update(bytesOf(message)), cipher.final(), cipher.getAuthTag()]));
  }

  function decrypt(method, message, secret) {
    const key = bytesOf(secret);
    const name = aesName(method, key);
    const data = bytesOf(message);
    if (data.length < NONCE_BYTES + TAG_BYTES) throw new TypeError('the encrypted message is too short');
    const decipher = crypto.createDecipheriv(name, key, data.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
    const cipherText = data.subarray(NONCE_BYTES, data.length - TAG_BYTES);
    return binary(Buffer.concat([decipher.update(cipherText), decipher.final()]));
  }

  function signatureKey(method, pem, scheme, isSigning) {
    if (method !== 'rsa') throw new TypeError(`unsupported signature method '${method}'`);
    const { constants } = crypto;
    if (scheme === 'pkcs1v15') return { key: pem, padding: constants.RSA_PKCS1_PADDING };
    if (scheme !== 'pss') throw new TypeError(`unsupported signature scheme '${scheme}'`);
    const saltLength = isSigning ? constants.RSA_PSS_SALTLEN_DIGEST : constants.RSA_PSS_SALTLEN_AUTO;
    return { key: pem, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
  }

  function sign(method, message, privateKey, scheme = 'pss') {
    return binary(crypto.sign('sha256', bytesOf(message), signatureKey(method, privateKey, scheme, true)));
  }

  function verify(method, message, publicKey, signature, scheme = 'pss') {
    const key = signatureKey(method, publicKey, scheme, false);
    return crypto.verify('sha256', bytesOf(message), key, bytesOf(signature));
  }

  function hmac(input, secret, hash, format) {
    if (!HMAC_HASHES.includes(hash)) throw new TypeError(`unsupported hash function '${hash}'`);
    if (format !== 'hex' && format !== 'base64') throw new TypeError(`unsupported output format '${format}'`);
    return crypto.createHmac(hash, bytesOf(secret)).update(bytesOf(input)).digest(format);
  }

  function hash(name, input) {
    if (!HASHES.includes(name)) throw new TypeError(`unsupported hash function '${name}'`);
    return binary(crypto.createHash(name).update(bytesOf(input)).digest());
  }

  return { encrypt, decrypt, sign, verify, hmac, hash };
};
