exports = function (request, response) {
  response.setHeader("Content-Length", "1");
  response.setHeader("Transfer-Encoding", "chunked");
  response.setHeader("X-Bad Name", "x");
  response.setHeader("X-Split", "a\r\nX-Injected: yes");
  response.setBody("whole");
};
