// Pays one person over the HTTP API and waits for the end, with a client that is
// generated from docs/openapi.json.
//
//   node dist/pay.js MERCHANT NUMBER AMOUNT
//
// Settings: PAYOUTS_API_ADDRESS and PAYOUTS_API_TOKEN. The same number again pays nothing twice.
import createClient from "openapi-fetch";

import type { paths } from "./api.js";

const [merchant, number, amount] = process.argv.slice(2);
if (!merchant || !number || !amount) {
  throw new Error("usage: pay.js MERCHANT NUMBER AMOUNT");
}
const api = createClient<paths>({
  baseUrl: process.env.PAYOUTS_API_ADDRESS,
  headers: { Authorization: `Bearer ${process.env.PAYOUTS_API_TOKEN}` },
});

const started = await api.POST("/v1/withdrawals", {
  body: {
    merchant,
    number,
    way: "easypaisa",
    amount: { value: amount, currency: "PKR" },
    details: { customerName: "Ayesha Khan", customerAccountNumber: "03007654321", customerContact: "03007654321" },
  },
});
if (started.error) {
  console.error(started.error.code, started.error.detail, started.error.errors ?? "");
  process.exit(1);
}
const ended = await api.GET("/v1/orders/{merchant}/{number}", {
  params: { path: { merchant, number }, query: { wait: "60s" } },
});
if (ended.error) {
  console.error(ended.error.code, ended.error.detail);
  process.exit(1);
}
const { state, paid, fee } = ended.data.order;
console.log(JSON.stringify({ number, state, paid: paid?.value, fee: fee?.value }));
