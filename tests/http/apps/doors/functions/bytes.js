exports = function (request, response) {
  response.setHeader("Content-Type", "application/octet-stream");
  response.setBody(request.body);
};
