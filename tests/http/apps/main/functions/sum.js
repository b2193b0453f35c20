exports = (...values) => values.reduce((a, b) => a + b, 0);
