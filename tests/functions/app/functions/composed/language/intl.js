// call: [1234567.891]
// gives: ["1,234,567.89", "1.234.567,89"]
exports = (n) => [new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 }).format(n), n.toLocaleString("de-DE", { maximumFractionDigits: 2 })];
