// call: ["603082712271C525E087BD999A4E0738"]
// gives: ["MongoDB is great!", "round trip"]
exports = function (key) {
  const published = BSON.Binary.fromBase64("WPBuIvJ6Bity43Uh822dW8QlVYVJaFUiDeUjlTiJXzptUuTYIKPlXekBQAJb");
  return [utils.crypto.decrypt("aes", published, key).text(),
    utils.crypto.decrypt("aes", utils.crypto.encrypt("aes", "round trip", key), key).text()];
};
