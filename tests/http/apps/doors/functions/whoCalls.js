exports = function () {
  const { id, type, data } = context.user;
  return { id, type, data, system: context.runningAsSystem() };
};
