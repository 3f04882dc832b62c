// Reads mail as programs with imapflow do: node imapflow.js PORT CA_FILE USER PASSWORD; prints what it had, and after how many ms it heard
"use strict";
const fs = require("fs");
const { ImapFlow } = require(process.env.MODULES + "/imapflow");
const [port, ca, user, pass] = process.argv.slice(2);
const fail = (error) => { console.error(error); process.exit(1); };
const opened = async () => {
  const client = new ImapFlow({
    host: "localhost", port: Number(port), secure: true, auth: { user, pass }, logger: false, qresync: true,
    tls: { ca: fs.readFileSync(ca), servername: "localhost" },
  });
  client.on("error", fail);
  await client.connect();
  if (!client.enabled.has("QRESYNC")) throw new Error("no QRESYNC");
  return client;
};
const news = (client, name) => new Promise((done) => client.once(name, (told) => done({ ...told, at: performance.now() })));
const main = async () => {
  const client = await opened();
  const names = (await client.list()).map((each) => each.path);
  if (!names.includes("INBOX") || !names.includes("Archive")) throw new Error("no folders: " + names);
  const before = await client.mailboxOpen("INBOX");
  const since = { changedSince: String(before.highestModseq), uidValidity: before.uidValidity };
  const sources = [];
  for await (const each of client.fetch("1:*", { uid: true, flags: true, envelope: true, bodyStructure: true, source: true })) {
    if (!each.envelope.subject || !each.bodyStructure.type) throw new Error("no envelope");
    sources.push(each.source.toString("base64"));
  }
  await client.messageFlagsAdd("1", ["\\Flagged", "$Work"]);
  const { flags } = await client.fetchOne("1", { flags: true });
  if (!flags.has("\\Flagged") || !flags.has("$Work")) throw new Error("no flags");
  if ((await client.search({ flagged: true })).join() !== "1") throw new Error("not found");
  if ((await client.messageCopy("1", "Archive")).uidMap.size !== 1) throw new Error("not copied");
  if ((await client.messageMove("2", "Archive")).uidMap.size !== 1) throw new Error("not moved");
  // Another, that was away meanwhile. The first would hear of no message: imapflow 1.7.8 counts what has vanished as if it were there.
  const other = await opened();
  const changed = news(other, "flags"), left = news(other, "expunge");
  await other.mailboxOpen("INBOX", since);
  if (!(await changed).flags.has("$Work") || (await left).uid !== 2) throw new Error("not told what was missed");
  other.idle().catch(fail);
  while (!other.idling) await new Promise(setImmediate);
  const heard = news(other, "exists");
  await client.append("INBOX", "Subject: later\r\n\r\nhello\r\n");
  const put = performance.now();
  const { at, count } = await heard;
  if (count !== 4) throw new Error("heard of " + count);
  const gone = news(other, "expunge");
  await client.messageDelete("1");
  if ((await gone).uid !== 1) throw new Error("not told what is gone");
  await client.logout();
  await other.logout();
  console.log(JSON.stringify({ sources, heard: at - put }));
};
main().catch(fail);
