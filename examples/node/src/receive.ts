// Receives webhooks: verifies each with the public library of Standard Webhooks, and
// prints it once.
//
//   node dist/receive.js PORT
//
// Setting: WEBHOOK_SECRET.
import { createServer } from "node:http";

import { Webhook } from "standardwebhooks";

const secret = process.env.WEBHOOK_SECRET;
const port = Number(process.argv[2]);
if (!secret || !Number.isInteger(port)) {
  throw new Error("usage: WEBHOOK_SECRET=whsec_… receive.js PORT");
}
const webhook = new Webhook(secret);
const seen = new Set<string>(); // a real receiver keeps the ids with what it books
const largest = 1 << 20;

const server = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    if ((size += part.length) > largest) {
      response.writeHead(413).end();
      return;
    }
    parts.push(part);
  }
  try {
    const event = webhook.verify(Buffer.concat(parts).toString("utf8"), request.headers as Record<string, string>) as { id: string };
    if (!seen.has(event.id)) {
      seen.add(event.id);
      console.log(JSON.stringify(event));
    }
    response.writeHead(204).end();
  } catch (error) {
    console.error("refused:", (error as Error).message);
    response.writeHead(400).end();
  }
});
server.listen(port, "127.0.0.1", () => console.error("listening"));
