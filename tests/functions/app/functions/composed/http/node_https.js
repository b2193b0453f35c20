// call: ["$HTTP"]
// gives: [201, "PUT"]
exports = (base) => new Promise((resolve, reject) => {
  const request = require("http").request(`${base}/echo`, { method: "PUT" }, (answer) => {
    const parts = [];
    answer.on("data", (part) => parts.push(part));
    answer.on("end", () => resolve([answer.statusCode, JSON.parse(Buffer.concat(parts)).method]));
  });
  request.on("error", reject);
  request.end("x");
});
