// call: ["secret"]
// gives: ["ada", "JsonWebTokenError", "invalid signature", "TokenExpiredError", "RS256"]
exports = function (secret) {
  const jwt = require("jsonwebtoken");
  const { generateKeyPairSync } = require("crypto");
  const token = jwt.sign({ sub: "ada" }, secret, { expiresIn: "1h" });
  const failureOf = (work) => {
    try {
      work();
    } catch (error) {
      return error;
    }
  };
  const wrong = failureOf(() => jwt.verify(token, "other"));
  const late = failureOf(() => jwt.verify(jwt.sign({ exp: 1 }, secret), secret));
  const pair = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const signed = jwt.sign({ a: 1 }, pair.privateKey, { algorithm: "RS256" });
  jwt.verify(signed, pair.publicKey);
  return [jwt.verify(token, secret).sub, wrong.name, wrong.message, late.name, jwt.decode(signed, { complete: true }).header.alg];
};
