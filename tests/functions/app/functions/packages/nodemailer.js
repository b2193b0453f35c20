// call: ["$SMTP"]
// gives: [["friend@example.org"], "250"]
exports = async function (port) {
  const nodemailer = require("nodemailer");
  const transport = nodemailer.createTransport({ host: "127.0.0.1", port, secure: false, ignoreTLS: true });
  const info = await transport.sendMail({
    from: '"Shop" <shop@example.org>', to: "friend@example.org", subject: "Grüße",
    text: "Hello", html: "<b>Hello</b>", attachments: [{ filename: "a.txt", content: "attached" }],
  });
  return [info.accepted, info.response.slice(0, 3)];
};
