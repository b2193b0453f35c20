// call: ["$HTTP"]
// gives: [200, "200 OK", {"a": "1", "b": "2"}, 201, "{\"a\":{\"$numberLong\":\"1\"}}", "application/json", 404]
exports = async function (base) {
  const got = await context.http.get({ url: `${base}/cookies` });
  const posted = await context.http.post({ url: `${base}/echo`, headers: { "X-A": ["1"] }, body: { a: 1 }, encodeBodyAsJSON: true });
  const told = JSON.parse(posted.body.text());
  const missing = await context.http.get({ url: `${base}/none` });
  return [got.statusCode, got.status, got.cookies, posted.statusCode, told.body, told.headers["Content-Type"], missing.statusCode];
};
