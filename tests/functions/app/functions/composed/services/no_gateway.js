// call: []
// gives: ["the action 'send' of service 'sms' is not available: the server has no gateway for it", "ServiceCommandNotFound"]
exports = () => context.services.get("sms").send({ to: "1", from: "2", body: "x" }).catch((err) => [err.message, err.code]);
