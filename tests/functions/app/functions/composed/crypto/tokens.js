// call: ["secret"]
// gives: ["HS256", {"sub": "1", "n": 5}, "signature", "SUXd6PRMaTXXgBGaGsIHzaDWgTSa6C3D44lRGrvRak0="]
exports = function (secret) {
  const token = utils.jwt.encode("HS256", { sub: "1", n: 5 }, secret, { kid: "k" });
  const { header, payload } = utils.jwt.decode(token, secret, true);
  let wrong = "accepted";
  try {
    utils.jwt.decode(token, "other");
  } catch (err) {
    wrong = /signature/.exec(err.message)[0];
  }
  return [header.alg, payload, wrong, utils.crypto.hmac("hello!", "super-secret", "sha256", "base64")];
};
