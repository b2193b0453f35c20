// call: ["$HTTP"]
// gives: ["\"tag\"", true, "NoSuchKey"]
exports = async function (endpoint) {
  const { S3Client, PutObjectCommand, GetObjectCommand } = require("@aws-sdk/client-s3");
  const client = new S3Client({
    region: "us-east-1", endpoint, forcePathStyle: true, maxAttempts: 1,
    credentials: { accessKeyId: "id", secretAccessKey: "key" },
  });
  const put = await client.send(new PutObjectCommand({ Bucket: "files", Key: "a.txt", Body: "content" }));
  let failure;
  try {
    await client.send(new GetObjectCommand({ Bucket: "files", Key: "none" }));
  } catch (error) {
    failure = error;
  }
  return [put.ETag, put.$metadata.httpStatusCode === 200, failure.name];
};
