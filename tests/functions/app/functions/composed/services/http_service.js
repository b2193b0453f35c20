// call: ["$HTTP"]
// gives: [200, "no matching rule found for action 'post' of service 'web'"]
exports = async function (base) {
  const web = context.services.get("web");
  const answer = await web.get({ url: `${base}/cookies` });
  const refused = await web.post({ url: `${base}/echo`, body: "x" }).catch((err) => err.message);
  return [answer.statusCode, refused];
};
