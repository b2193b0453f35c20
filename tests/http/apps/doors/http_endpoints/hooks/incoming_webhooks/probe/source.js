exports = function (payload, response) { response.setHeader("X-Probe", context.request.httpMethod + payload.query.a); };
