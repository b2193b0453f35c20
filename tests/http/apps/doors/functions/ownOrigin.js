exports = function (request, response) {
  response.setHeader("Access-Control-Allow-Origin", "*");
  response.setBody("open");
};
