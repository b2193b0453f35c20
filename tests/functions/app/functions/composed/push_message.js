exports = (message) => context.services.get("push").send(message);
