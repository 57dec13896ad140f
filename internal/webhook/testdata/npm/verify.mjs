// Verifies one notification, given as {"secret","headers","body"} on standard
// input, as a receiver would.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
const payload = new Webhook(secret).verify(body, headers);
console.log(JSON.stringify({ ok: true, type: payload.type }));
