// Everything that an endpoint's function gets to know.
exports = function (request, response) {
  const { query, headers, body } = request;
  return {
    query, custom: headers["X-Custom"], hasBody: body !== undefined, text: body && body.text(),
    type: body && body._bsontype, method: context.request.httpMethod, route: context.request.webhookUrl,
    referrer: context.request.httpReferrer, raw: context.request.rawQueryString, agent: context.request.httpUserAgent, userType: context.user.type,
    userId: context.user.id, system: context.runningAsSystem(), action: context.request.action,
    address: context.request.remoteIPAddress
  };
};
