// call: ["$HTTP"]
// gives: ["/echo?q=a+b&list=1&list=2", "DELETE"]
exports = async function (base) {
  const { host } = new URL(base);
  const answer = await context.http.delete({ scheme: "http", host, path: "/echo", query: { q: ["a b"], list: ["1", "2"] } });
  const told = EJSON.parse(answer.body.text());
  return [told.path, told.method];
};
