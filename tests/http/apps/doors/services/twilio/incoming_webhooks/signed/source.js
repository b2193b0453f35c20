exports = (message) => message;
