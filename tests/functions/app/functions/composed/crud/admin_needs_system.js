// call: []
// fails: getDBNames is available to system functions only
exports = () => context.services.get("mongodb-atlas").admin().getDBNames();
