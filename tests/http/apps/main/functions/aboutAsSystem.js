exports = () => ({ user: context.user.id, asSystem: context.runningAsSystem() });
