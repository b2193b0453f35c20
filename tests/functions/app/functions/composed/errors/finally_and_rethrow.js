// call: []
// fails: {"message":"outer: inner","name":"Error"}
exports = async function () {
  let cleaned = false;
  try {
    await Promise.reject(new Error("inner"));
  } catch (err) {
    throw new Error(`outer: ${err.message}`);
  } finally {
    cleaned = true;
  }
};
