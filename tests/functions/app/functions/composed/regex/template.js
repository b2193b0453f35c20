// call: ["Hi {{ name }}, you owe {{amount}}", {"name": "Ada", "amount": 3}]
// gives: "Hi Ada, you owe 3"
exports = (text, values) => text.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, key) => values[key]);
