exports = function (message, response) {
  response.setHeader("Content-Type", "text/xml");
  response.setBody(`<Response><Message>${message.From} says ${message.Body}</Message></Response>`);
};
