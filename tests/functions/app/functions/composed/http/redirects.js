// call: ["$HTTP"]
// gives: [302, 201, "GET"]
exports = async function (base) {
  const stays = await context.http.get({ url: `${base}/redirect` });
  const follows = await context.http.post({ url: `${base}/redirect`, body: "x", followRedirects: true });
  return [stays.statusCode, follows.statusCode, JSON.parse(follows.body.text()).method];
};
