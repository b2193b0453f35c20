exports = function (request, response) { response.setBody(new BSON.ObjectId("5f4863e4d49bd2191ff1e623")); };
