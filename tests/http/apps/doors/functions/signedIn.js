exports = (request) => request.body.text().length;
