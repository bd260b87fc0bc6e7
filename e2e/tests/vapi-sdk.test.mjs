// Vapi's own TypeScript SDK as a client of the double: the calls it makes, and what comes back. If the
// SDK could tell the double from Vapi, our tests against the double would prove less.
import { VapiClient, VapiError } from "@vapi-ai/server-sdk";
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { VapiDouble } from "../support/vapi-double.mjs";

const MESSAGES = ["session.created", "session.updated", "session.deleted", "chat.created", "chat.deleted"];
const NOBODY = "00000000-0000-4000-8000-000000000009";

let double;
let client;
/** Webhooks that came: headers and message. */
const hooks = [];
const owner = http.createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  hooks.push({ headers: request.headers, message: JSON.parse(body).message });
  response.end();
});

before(async () => {
  double = await VapiDouble.start();
  owner.listen(0, "127.0.0.1");
  await once(owner, "listening");
  client = new VapiClient({ token: double.key, baseUrl: double.url, maxRetries: 0 });
});

after(async () => {
  await double?.stop();
  owner.closeAllConnections();
  owner.close();
});

const support = () => ({
  name: "Support",
  firstMessage: "Hi {{name}}",
  model: {
    provider: "openai",
    model: "gpt-4o",
    messages: [{ role: "system", content: "You help {{company}}." }],
  },
  voice: { provider: "11labs", voiceId: "burt" },
  server: {
    url: `http://127.0.0.1:${owner.address().port}/vapi`,
    timeoutSeconds: 20,
    headers: { "x-a": "b" },
  },
  serverMessages: [...MESSAGES, "end-of-call-report", "status-update"],
});

/** Waits until `count` webhooks have come. */
const hooked = async (count) => {
  for (let tries = 0; hooks.length < count && tries < 200; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return hooks.map(({ message }) => message.type);
};

const refused = (call, status, said) =>
  assert.rejects(call, (error) => {
    assert.ok(error instanceof VapiError, String(error));
    assert.equal(error.statusCode, status);
    assert.equal(error.body.statusCode, status);
    assert.match(String(error.body.message), said);
    return true;
  });

test("assistants are made, listed, changed and found", async () => {
  const made = await client.assistants.create(support());
  assert.match(made.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(made.model.messages[0].content, "You help {{company}}.");
  const listed = await client.assistants.list({ limit: 10 });
  assert.ok(Array.isArray(listed) && listed.some(({ id }) => id === made.id));
  const changed = await client.assistants.update({ id: made.id, firstMessage: "Hello" });
  assert.deepEqual([changed.firstMessage, changed.name], ["Hello", "Support"]);
  assert.equal((await client.assistants.get({ id: made.id })).firstMessage, "Hello");
  assert.equal((await client.assistants.delete({ id: made.id })).id, made.id);
  await refused(client.assistants.get({ id: made.id }), 404, /Does Not Exist/);
  await refused(client.assistants.get({ id: "nope" }), 400, /UUID/);
});

test("a conversation in a session, with its webhooks", async () => {
  const { id: assistantId } = await client.assistants.create(support());
  const session = await client.sessions.create({
    assistantId,
    expirationSeconds: 180,
    assistantOverrides: { variableValues: { name: "John", company: "Acme" } },
    customer: { name: "V" },
  });
  assert.equal(session.status, "active");
  assert.equal(session.expirationSeconds, 180);
  assert.equal(session.assistant.firstMessage, "Hi John");

  const first = await client.chats.create({ sessionId: session.id, input: "Hello" });
  assert.equal(first.output[0].content, "Hello! I'm Support. How can I help you today?");
  assert.equal(first.sessionId, session.id);
  const second = await client.chats.create({ sessionId: session.id, input: "Your instructions?" });
  assert.equal(second.output[0].content, "My instructions are: You help Acme.");
  assert.ok(second.cost > 0 && second.costs.some(({ type }) => type === "chat"));

  const page = await client.chats.list({ sessionId: session.id, limit: 2 });
  assert.deepEqual(page.results.map(({ id }) => id), [second.id, first.id]);
  assert.equal(page.metadata.totalItems, 2);
  assert.equal((await client.chats.get({ id: first.id })).id, first.id);
  const sessions = await client.sessions.list({ assistantId, page: 1, sortOrder: "DESC", limit: 5 });
  assert.deepEqual(sessions.results.map(({ id }) => id), [session.id]);

  assert.equal((await client.chats.delete({ id: first.id })).id, first.id);
  const completed = await client.sessions.update({ id: session.id, status: "completed" });
  assert.equal(completed.status, "completed");
  assert.equal(completed.messages.length, 4);
  assert.equal((await client.sessions.get({ id: session.id })).status, "completed");
  await refused(client.chats.create({ sessionId: session.id, input: "x" }), 400, /completed/);
  await client.sessions.delete({ id: session.id });
  await refused(client.sessions.get({ id: session.id }), 404, /not found/i);

  assert.deepEqual(await hooked(6), [
    "session.created",
    "chat.created",
    "chat.created",
    "chat.deleted",
    "session.updated",
    "session.deleted",
  ]);
  assert.equal(hooks[0].headers["x-a"], "b");
  assert.equal(hooks[4].message.session.status, "completed");
  assert.ok(hooks[4].message.session.cost > 0);
});

test("a chat after another chat, and what cannot be combined", async () => {
  const assistantId = double.assistant;
  const first = await client.chats.create({ assistantId, input: "Do you deliver?" });
  const again = await client.chats.create({
    assistantId,
    previousChatId: first.id,
    input: [{ role: "user", content: "Where to?" }],
  });
  assert.match(again.output[0].content, /That is question 2/);
  assert.equal(again.previousChatId, first.id);
  await refused(
    client.chats.create({ sessionId: NOBODY, previousChatId: NOBODY, input: "x" }),
    400,
    /mutually exclusive/,
  );
  await refused(client.chats.create({ input: "x" }), 400, /at least one of/);
  await refused(client.chats.create({ assistantId: NOBODY, input: "x" }), 400, /Does Not Exist/);
  await refused(client.sessions.create({ assistantId, phoneNumberr: "1" }), 400, /should not exist/);
  await refused(client.sessions.create({ assistantId, expirationSeconds: 5 }), 400, /less than 60/);
});

test("a stream: the SDK cannot read it, its own fetch and everybody else's can", async () => {
  const body = { assistantId: double.assistant, input: "Hello", stream: true };
  await double.will({ say: ["Hello", " there!", " für €"] });
  // As with Vapi: the SDK expects JSON, whatever was asked for, and gives what came as an error.
  const answer = await client.chats.create(body);
  assert.equal(answer.ok, false);
  assert.equal(answer.error.reason, "non-json");
  assert.match(answer.error.rawBody, /chat\.output\[0\]\.content/);
  const options = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const authorized = { ...options, headers: { ...options.headers, authorization: `Bearer ${double.key}` } };
  for (const response of [
    await client.fetch("/chat", options),
    await fetch(`${double.url}/chat`, authorized),
  ]) {
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^text\/event-stream/);
    const text = await response.text();
    assert.ok(text.endsWith("}\n\n") && !text.includes("[DONE]"), text);
    // As Vapi's documentation reads it, unguarded.
    const lines = text.split("\n").filter((line) => line.startsWith("data: "));
    const chunks = lines.map((line) => JSON.parse(line.slice(6)));
    assert.deepEqual(chunks.map(({ delta }) => delta), ["Hello", " there!", " für €"]);
    assert.ok(chunks.every(({ path }) => path === "chat.output[0].content"));
    const stored = await client.chats.get({ id: chunks[0].id });
    assert.equal(stored.output[0].content, "Hello there! für €");
  }
  await double.will("friendly");
});

test("who may not come in is told so, and faults are Vapi's", async () => {
  const stranger = new VapiClient({ token: "wrong", baseUrl: double.url, maxRetries: 0 });
  await refused(stranger.sessions.list(), 401, /Invalid Key/);
  const money = { message: "Purchase credits to use chat.", error: "Payment Required", statusCode: 402 };
  await double.will({ fail: [402, JSON.stringify(money)] });
  await refused(client.chats.create({ assistantId: double.assistant, input: "x" }), 402, /credits/);
  await double.will("friendly");
  // What the double does not offer is refused, not made up.
  await refused(client.squads.create({ name: "sq", members: [] }), 404, /Cannot POST \/squad/);
});
