// call: ["$HTTP"]
// gives: [401, 200, 200, 200]
exports = async function (base) {
  const statusOf = async (options) => (await context.http.get(options)).statusCode;
  return [
    await statusOf({ url: `${base}/basic` }),
    await statusOf({ url: `${base}/basic`, username: "ada", password: "secret" }),
    await statusOf({ url: `${base.replace("//", "//ada:secret@")}/basic` }),
    await statusOf({ url: `${base}/digest`, username: "ada", password: "secret", digestAuth: true }),
  ];
};
