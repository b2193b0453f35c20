// call: ["open"]
// gives: {"did": "PutObject", "of": "storage", "arguments": [{"Bucket": "open", "Key": "k", "Body": {"$binary": {"base64": "eA==", "subType": "00"}}}]}
// call: ["closed"]
// fails: no matching rule found for action 's3:PutObject' of service 'storage'
exports = (Bucket) => context.services.get("storage").s3("us-east-1").PutObject({ Bucket, Key: "k", Body: BSON.Binary.fromText("x") });
