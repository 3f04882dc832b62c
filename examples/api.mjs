// Hand a mail to the API with fetch, in Node 18 or later, Deno or Bun; once, however often this runs:
//
//     MAILER_KEY=mlr_... node api.mjs http://127.0.0.1:8025 anna@example.net order-4711
//
// Not from a page in a browser: everybody who sees the page would have the key.
import { setTimeout as sleep } from "node:timers/promises";

const [api, person, order] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${process.env.MAILER_KEY}`, "Content-Type": "application/json" };

// What has a request id may be asked for again: when no answer comes, and when the server says so.
async function call(path, options = {}, tries = 5) {
  let answer;
  try {
    answer = await fetch(api + path, { headers, signal: AbortSignal.timeout(30_000), ...options });
  } catch (error) {
    if (tries <= 1) throw error;
  }
  if (tries > 1 && (!answer || answer.status === 429 || answer.status >= 500)) {
    await sleep(1000 * Number(answer?.headers.get("retry-after") ?? 1));
    return call(path, options, tries - 1);
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(`${found.error.code}: ${found.error.message}`);
  return found;
}

const mail = {
  request_id: order,
  from: "Our shop <shop@example.com>",
  to: [person],
  subject: "Your order",
  text: `${order} is on its way.`,
};
try {
  const taken = await call("/send_email", { method: "POST", body: JSON.stringify(mail) });
  console.log(taken.id, taken.repeat ? "again" : "new");
  const { recipients } = await call(`/status/${taken.id}`);
  for (const { address, status } of recipients) console.log(address, status);
} catch (error) {
  console.error(`not sent: ${error.message}`);
  process.exitCode = 1;
}
