// call: ["$HTTP"]
// gives: {"$undefined": true}
exports = function (base) {
  context.http.get({ url: `${base}/cookies` }).then((answer) => console.log(answer.statusCode));
};
