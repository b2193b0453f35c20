// call: [{"a": {"b": 0}}]
// gives: [0, "default", {"$undefined": true}, 1]
exports = ({ a, ...rest } = {}) => [a?.b ?? "default", rest.c ?? "default", rest.x?.y?.(), 2 ** 0];
