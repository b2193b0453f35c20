// call: []
// fails: the bucket is closed
exports = () => context.services.get("storage").s3().Fail({ Bucket: "open" });
