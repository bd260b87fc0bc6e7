// What a customer's own server sees of a chat: webhooks that the official library of Standard Webhooks
// believes, also while the secret is replaced. No browser takes part.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { Model } from "../support/model.mjs";
import { Server } from "../support/server.mjs";
import { settings } from "../support/settings.mjs";

const WITHIN = 10_000;
let model, server, receiver;
const got = [];

before(async () => {
  model = await Model.start();
  const webhooks = { allowed_private_hosts: ["127.0.0.1"] };
  server = await Server.start({ ...settings(model), webhooks });
  receiver = http.createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    got.push({ headers: request.headers, body });
    response.writeHead(204).end();
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
});

after(async () => {
  await server?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
  await model?.stop();
});

/** Waits until so many webhooks have come. */
async function come(count) {
  const until = Date.now() + WITHIN;
  while (got.length < count && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(got.length, count);
}

test("The official library believes every webhook of a chat, and no other", { timeout: 60_000 }, async () => {
  const events = ["session.started", "message.created", "session.ended"];
  const url = `http://127.0.0.1:${receiver.address().port}/hook?key=canary`;
  const made = await server.own("webhooks", { method: "POST", body: JSON.stringify({ url, events }) });
  assert.equal(made.status, 201);
  const { webhook, secret } = await made.json();

  const opened = await server.ask("widgets/test/sessions", { method: "POST", body: "{}" });
  const { session, token } = await opened.json();
  const post = (path, body) =>
    server.ask(`sessions/${session.id}/${path}`, { method: "POST", token, body: JSON.stringify(body) });
  const answer = await post("messages", { id: "q1", text: "Grüße, 世界 😀" });
  await answer.text();
  await post("end", {});
  await come(4);

  const library = new Webhook(secret);
  const told = got.map(({ headers, body }) => library.verify(body, headers));
  assert.deepEqual(told.map(({ type }) => type).sort(), [
    "message.created", "message.created", "session.ended", "session.started",
  ]);
  assert.ok(told.every(({ data }) => data.sessionId === session.id));
  assert.ok(told.some(({ data }) => data.message?.text === "Grüße, 世界 😀"));
  assert.ok(told.every(({ timestamp }) => Math.abs(Date.now() - new Date(timestamp)) < 60_000));

  const [{ headers, body }] = got;
  const stranger = new Webhook(`whsec_${Buffer.alloc(32, 7).toString("base64")}`);
  assert.throws(() => stranger.verify(body, headers));
  assert.throws(() => library.verify(`${body} `, headers));
  assert.throws(() => library.verify(body, { ...headers, "webhook-id": "msg_another" }));

  const rotated = await server.own(`webhooks/${webhook.id}/rotate-secret`, { method: "POST" });
  const { secret: next } = await rotated.json();
  await server.own(`webhooks/${webhook.id}/test`, { method: "POST" });
  await come(5);
  for (const known of [secret, next]) {
    assert.equal(new Webhook(known).verify(got[4].body, got[4].headers).type, "ping");
    assert.ok(!server.log.includes(known.slice("whsec_".length)), "a secret in the log");
  }
  assert.ok(!server.log.includes("key=canary"), "an endpoint's address in the log");
});
