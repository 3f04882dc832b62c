// An endpoint for webhooks of mailer in Node, without a library: checks who posts, takes each event once, and answers at once.
//
//     WEBHOOK_SECRET=$(mailer hooks rotate shop) node webhook_receiver.mjs 8080
//
// For a test on one machine the configuration has, below [[webhook]], url = "http://127.0.0.1:8080/events" and private = true. In production
// a web server with TLS stands before it.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const seen = new Set(); // in production a table with a unique key: an event may come again, also tomorrow

function isOurs(headers, body) {
  const id = headers["webhook-id"], at = headers["webhook-timestamp"];
  if (!id || !(Math.abs(Date.now() / 1000 - Number(at)) < 300)) return false; // five minutes
  const expected = createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest();
  return (headers["webhook-signature"] ?? "").split(" ").some((each) => {
    const [version, text] = each.split(",");
    const given = Buffer.from(text ?? "", "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

const server = createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  if (request.method !== "POST" || !isOurs(request.headers, body)) return response.writeHead(401).end();
  response.writeHead(204).end(); // what takes long comes after the answer
  const id = request.headers["webhook-id"];
  if (seen.has(id)) return;
  seen.add(id);
  const { type, data } = JSON.parse(body);
  console.log(type, data.to, data.reply);
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log(`listening on port ${server.address().port}`));
