// call: []
// gives: ["runtime", "runtime-aaaaa", "testing", "http://test", {"$undefined": true}]
exports = () => [context.app.name, context.app.clientAppId, context.environment.tag, context.environment.values.baseUrl, context.environment.values.none];
