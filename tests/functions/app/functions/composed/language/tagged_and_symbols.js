// call: []
// gives: ["a[1]b[2]", 2, "Point(1)"]
const tag = (parts, ...values) => parts.reduce((text, part, i) => `${text}${part}${i < values.length ? `[${values[i]}]` : ""}`, "");
class Point {
  constructor(x) { this.x = x; }
  [Symbol.toPrimitive]() { return `Point(${this.x})`; }
}
exports = () => [tag`a${1}b${2}`, new Set([1, 1, 2]).size, `${new Point(1)}`];
