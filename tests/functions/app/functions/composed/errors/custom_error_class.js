// call: []
// fails: {"message":"not yours","name":"Forbidden","status":403}
class Forbidden extends Error {
  constructor(message) {
    super(message);
    this.name = "Forbidden";
    this.status = 403;
  }
}
exports = async () => { throw new Forbidden("not yours"); };
