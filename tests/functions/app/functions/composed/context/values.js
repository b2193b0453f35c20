// call: []
// gives: [{"rates": [1.5, 2]}, {"$undefined": true}]
exports = () => [context.values.get("settings"), context.values.get("nothing")];
