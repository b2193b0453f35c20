// A helper answers, some of it after the function has returned.
exports = function (request, response) {
  context.functions.execute("answerLate", response, request.body.text());
};
