// call: []
// gives: ["RestrictedHost", "HTTPError", "HTTPError"]
exports = async function () {
  const codeOf = (options) => context.http.get(options).then(() => "open", (err) => err.code);
  return [await codeOf({ url: "http://169.254.169.254/latest/meta-data" }), await codeOf({ url: "http://127.0.0.1:1/" }), await codeOf({ url: "ftp://x/" })];
};
