exports = function () { return { id: context.user.id, system: context.runningAsSystem() }; };
