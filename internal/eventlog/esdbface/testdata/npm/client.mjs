// Drives the official Node client against a server: node client.mjs ADDRESS.
// Exits with 0 and one line of JSON if everything was as it should be.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import {
  ANY, BACKWARDS, END, FORWARDS, NO_STREAM, START, STREAM_EXISTS,
  EventStoreDBClient, StreamDeletedError, StreamNotFoundError, WrongExpectedVersionError,
  binaryEvent, eventTypeFilter, excludeSystemEvents, jsonEvent, streamNameFilter,
} from "@eventstore/db-client";

const client = EventStoreDBClient.connectionString(`esdb://${process.argv[2]}?tls=false`);
const run = randomUUID().slice(0, 8);
const orders = `orders-${run}`;
const order = (n) => jsonEvent({ type: "order-placed", data: { n }, metadata: { by: "node" } });
const collect = async (reading) => {
  const out = [];
  for await (const { event } of reading) out.push(event);
  return out;
};

// Appends with every kind of expectation. Without credentials this client sends
// all of them by BatchAppend.
const first = await client.appendToStream(orders, [order(0), order(1)], { expectedRevision: NO_STREAM });
assert.equal(first.success, true);
assert.equal(first.nextExpectedRevision, 1n);
assert.ok(first.position.commit > 0n);
const third = order(2);
await client.appendToStream(orders, third, { expectedRevision: 1n });
const again = await client.appendToStream(orders, third, { expectedRevision: 1n });
assert.equal(again.nextExpectedRevision, 2n, "a repeat answers as the first time");
await client.appendToStream(orders, order(3), { expectedRevision: ANY });
await client.appendToStream(orders, order(4), { expectedRevision: STREAM_EXISTS });
await assert.rejects(client.appendToStream(orders, order(9), { expectedRevision: 0n }), (e) =>
  e instanceof WrongExpectedVersionError && e.actualVersion === 4n && e.streamName === orders);
// Many at once share one call.
await Promise.all(Array.from({ length: 50 }, (_, n) =>
  client.appendToStream(`many-${run}-${n}`, order(n), { expectedRevision: NO_STREAM })));

// Content types.
const blob = `blob-${run}`;
await client.appendToStream(blob, binaryEvent({ type: "blob", data: Uint8Array.of(1, 2, 255), metadata: Uint8Array.of(7) }));
const [bytes] = await collect(client.readStream(blob));
assert.deepEqual([...bytes.data], [1, 2, 255]);
assert.equal(bytes.isJson, false);

// Reads.
const events = await collect(client.readStream(orders));
assert.deepEqual(events.map((e) => e.data.n), [0, 1, 2, 3, 4]);
assert.deepEqual(events.map((e) => e.revision), [0n, 1n, 2n, 3n, 4n]);
assert.equal(events[0].isJson, true);
assert.equal(events[2].id, third.id);
assert.equal(events[0].metadata.by, "node");
assert.ok(Math.abs(Date.now() - new Date(events[0].created).getTime()) < 24 * 3600 * 1000);
const newest = await collect(client.readStream(orders, { direction: BACKWARDS, fromRevision: END, maxCount: 2 }));
assert.deepEqual(newest.map((e) => e.data.n), [4, 3]);
await assert.rejects(collect(client.readStream(`none-${run}`)), StreamNotFoundError);
const everything = await collect(client.readAll({ direction: FORWARDS, fromPosition: START }));
assert.equal(everything.filter((e) => e.streamId === orders).length, 5);
const onward = await collect(client.readAll({ fromPosition: everything[3].position, maxCount: 2 }));
assert.equal(onward[0].id, everything[3].id, "reads of $all include their position");

// Subscriptions: what is there, word of having caught up, what is new.
const listen = (subscription, enough, onCaughtUp) => new Promise((resolve, reject) => {
  const got = [];
  subscription.on("error", reject);
  subscription.on("caughtUp", () => onCaughtUp?.());
  subscription.on("data", ({ event }) => {
    got.push(event);
    if (got.length === enough) subscription.unsubscribe().then(() => resolve(got), reject);
  });
});
let wrote = false;
const live = async () => {
  if (wrote) return;
  wrote = true;
  await client.appendToStream(orders, order(5));
};
const followed = await listen(client.subscribeToStream(orders, { fromRevision: 1n }), 4, live);
assert.deepEqual(followed.map((e) => e.data.n), [2, 3, 4, 5]);

for (const [name, filter, wanted] of [
  ["stream prefix", streamNameFilter({ prefixes: [orders] }), 6],
  ["type prefix", eventTypeFilter({ prefixes: ["blob"] }), 1],
  ["pattern", streamNameFilter({ regex: `^blob-${run}$` }), 1],
  ["system events excluded", excludeSystemEvents(), 57],
]) {
  const got = await listen(client.subscribeToAll({ fromPosition: START, filter }), wanted);
  assert.equal(got.length, wanted, name);
}

// Checkpoints while a filter holds everything back.
await new Promise((resolve, reject) => {
  const held = client.subscribeToAll({
    fromPosition: START,
    filter: eventTypeFilter({
      prefixes: ["nothing-"], checkpointInterval: 1,
      checkpointReached: (subscription, position) => {
        assert.ok(position.commit > 0n);
        subscription.unsubscribe().then(resolve, reject);
      },
    }),
  });
  held.on("error", reject);
});

// Deletion.
await assert.rejects(client.deleteStream(blob), (e) => e.code === 12, "there is no soft delete");
const gone = await client.tombstoneStream(blob, { expectedRevision: 0n });
assert.ok(gone.position.commit > 0n);
await assert.rejects(collect(client.readStream(blob)), StreamDeletedError);
await assert.rejects(client.appendToStream(blob, order(1)), StreamDeletedError);

await client.dispose();
console.log(JSON.stringify({ ok: true, events: everything.length }));
