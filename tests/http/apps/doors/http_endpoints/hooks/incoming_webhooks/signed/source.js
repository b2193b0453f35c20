exports = function (payload, response) { response.setBody("seen " + context.request.httpMethod); };
