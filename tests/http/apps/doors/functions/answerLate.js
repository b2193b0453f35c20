exports = async function (response, text) {
  response.setStatusCode(202);
  await new Promise((resolve) => setTimeout(resolve, 30));
  response.setHeader("Content-Type", "text/plain");
  response.setBody("late " + text);
};
