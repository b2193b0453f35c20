// call: ["$HTTP/echo"]
// gives: [201, {"name": "axios"}, "POST", "ERR_BAD_REQUEST", 404]
const axios = require("axios");

exports = async function (url) {
  const answer = await axios.post(url, { name: "axios" }, { headers: { "X-Trace": "1" } });
  let failure;
  try {
    await axios.get(url.replace("/echo", "/missing"));
  } catch (error) {
    failure = error;
  }
  return [answer.status, JSON.parse(answer.data.body), answer.data.method, failure.code, failure.response.status];
};
