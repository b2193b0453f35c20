exports = function (payload) {
  return { Processed: payload.body.text().length, system: context.runningAsSystem(), query: payload.query };
};
