// call: []
// gives: ["127.0.0.1", true, "application/json"]
exports = () => [context.request.remoteIPAddress, Array.isArray(context.request.requestHeaders["Content-Type"]), context.request.requestHeaders["Content-Type"][0]];
