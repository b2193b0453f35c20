// call: []
// gives: ["2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 32, "YWJj"]
const crypto = require("crypto");
exports = () => [crypto.createHash("sha256").update("hello").digest("hex"), crypto.randomBytes(16).toString("hex").length, Buffer.from("abc").toString("base64")];
