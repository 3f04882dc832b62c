// Hands in mail as programs with nodemailer do, by a pool: node nodemailer.js PORT CA_FILE USER PASSWORD COUNT
"use strict";
const fs = require("fs");
const nodemailer = require(process.env.MODULES + "/nodemailer");
const [port, ca, user, pass, count] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: "127.0.0.1", port: Number(port), pool: true, maxConnections: 2, requireTLS: true, auth: { user, pass },
  tls: { ca: fs.readFileSync(ca), servername: "localhost" },
});
const letter = { from: user, to: "carl@example.net", subject: "by nodemailer", text: "hello", html: "<p>hello</p>" };
Promise.all(Array.from({ length: Number(count) }, () => transport.sendMail(letter)))
  .then(() => transport.close())
  .catch((error) => { console.error(error.message); process.exit(1); });
