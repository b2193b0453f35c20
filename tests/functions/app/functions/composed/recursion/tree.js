// call: [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}]
// gives: 10
exports = (node) => node.kids.reduce((sum, kid) => sum + context.functions.execute("composed/recursion/tree", kid), node.v);
