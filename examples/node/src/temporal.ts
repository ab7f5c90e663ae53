// Starts a withdrawal over Temporal, without the HTTP API, signed with a system's key, and
// waits for its end.
//
//   node dist/temporal.js MERCHANT NUMBER AMOUNT KEYFILE
//
// KEYFILE is an ed25519 key that ssh-keygen has made without a passphrase. Settings:
// TEMPORAL_ADDRESS, PAYOUTS_ORIGIN, SYSTEM_NAME (its name in the roster) and
// SYSTEM_KEY_ID (the key's id there).
import { createHash, createPrivateKey, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";

import { Client, Connection, WorkflowExecutionAlreadyStartedError } from "@temporalio/client";

const [merchant, number, amount, keyFile] = process.argv.slice(2);
if (!merchant || !number || !amount || !keyFile) {
  throw new Error("usage: temporal.js MERCHANT NUMBER AMOUNT KEYFILE");
}
const setting = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

type Texts = Record<string, string>;

const sorted = (texts: Texts): Texts =>
  Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== "").sort(([a], [b]) => (a < b ? -1 : 1)));

// The members of the content are in this order, and details are sorted, because the
// fingerprint is a hash of this text. < > & and two separators are written as escapes.
const content = {
  kind: "withdrawal",
  merchant,
  number,
  country: "PK",
  way: "easypaisa",
  amount: { value: amount, currency: "PKR" }, // with all decimals of the currency
  details: sorted({ customerName: "Ayesha Khan", customerAccountNumber: "03007654321", customerContact: "03007654321" }),
};
const text = JSON.stringify(content).replace(/[<>&\u2028\u2029]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const fingerprint = createHash("sha256").update(text).digest("hex");

// The envelope is signed as canonical JSON (RFC 8785): members sorted by name, no blanks.
const seconds = (date: Date): string => date.toISOString().replace(/\.\d+/, "");
const now = new Date();
const envelope = {
  action: "start",
  amount: { currency: "PKR", value: amount },
  by: setting("SYSTEM_NAME"),
  expires: seconds(new Date(now.getTime() + 24 * 3600 * 1000)),
  fingerprint,
  format: "payouts-envelope-1",
  id: randomBytes(16).toString("hex"),
  issued: seconds(now),
  merchant,
  number,
  origin: setting("PAYOUTS_ORIGIN"),
};
const signature = sign(null, Buffer.from(JSON.stringify(envelope)), privateKey(keyFile)).toString("base64");

const client = new Client({ connection: await Connection.connect({ address: setting("TEMPORAL_ADDRESS") }) });
const workflowId = `order:${merchant}:${number}`;
const request = {
  ...content,
  requested_by: setting("SYSTEM_NAME"),
  proof: { envelope, signature: `ed25519:${setting("SYSTEM_KEY_ID")}:${signature}` },
};
try {
  await client.workflow.start("Withdrawal", {
    workflowId,
    taskQueue: "payouts",
    args: [request],
    workflowIdReusePolicy: "REJECT_DUPLICATE", // a number is paid once, also after its end
  });
} catch (error) {
  if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
}
const { state, paid, fee, reason } = await client.workflow.getHandle(workflowId).result();
console.log(JSON.stringify({ number, state, paid: paid?.value, fee: fee?.value, reason }));
await client.connection.close();

// privateKey reads an OpenSSH key file, which node:crypto cannot: the 32 bytes of the
// secret come after the second "ssh-ed25519" and the public key.
function privateKey(file: string) {
  const body = readFileSync(file, "utf8").replace(/-----[^-]+-----|\s/g, "");
  const bytes = Buffer.from(body, "base64");
  const at = bytes.lastIndexOf("ssh-ed25519");
  if (at < 0 || bytes.indexOf("none") < 0) throw new Error(`${file} is no ed25519 key without a passphrase`);
  const secret = at + 11 + 4 + 32 + 4;
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex"); // of PKCS #8
  return createPrivateKey({ key: Buffer.concat([prefix, bytes.subarray(secret, secret + 32)]), format: "der", type: "pkcs8" });
}
