// call: ["$HTTP"]
// gives: [true, "s=1; t=2", true]
exports = async function (base) {
  const answer = await context.http.post({ url: `${base}/echo`, form: { name: "Ada", file: "x" }, cookies: { s: "1", t: "2" } });
  const { headers, body } = JSON.parse(answer.body.text());
  return [/^multipart\/form-data; boundary=/.test(headers["Content-Type"]), headers.Cookie, /name="name"\r\n\r\nAda/.test(body)];
};
