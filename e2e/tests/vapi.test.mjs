// The ends that Vapi decides on, in a widget that its double answers: the panel says why, and the server and the
// owner's log have the same reason.
import assert from "node:assert/strict";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertEnded } from "../support/ends.mjs";
import { journeys } from "../support/journey.mjs";
import { VapiDouble } from "../support/vapi-double.mjs";

const SECRET = "shared by the double and the server";

const double = await VapiDouble.start();
after(() => double.stop());

const journey = journeys((settings) => {
  settings.vapi = {
    connections: { double: { base_url: double.url, api_key: double.key } },
    webhooks: { double: { type: "secret", secret: SECRET } },
  };
  settings.assistants.remote = { provider: "vapi", connection: "double", assistant_id: double.assistant };
  settings.widgets.remote = { ...settings.widgets.test, assistant: "remote" };
  return settings;
});

/** Asks the double as the owner of the account at Vapi does. */
async function atVapi(method, path, body) {
  const headers = { authorization: `Bearer ${double.key}`, "content-type": "application/json" };
  const response = await fetch(`${double.url}/${path}`, { method, headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
  return response.json();
}

async function json(response) {
  assert.equal(response.status, 200);
  return response.json();
}

journey("Vapi ends it: a panel where nothing is said finds out and says so", async ({ server, site, visit }) => {
  const { items } = await json(await server.own("widgets"));
  const { webhookUrl } = items.find(({ id }) => id === "remote");
  await atVapi("PATCH", `assistant/${double.assistant}`, {
    server: { url: webhookUrl, headers: { "x-vapi-secret": SECRET } },
    serverMessages: ["session.created", "session.updated"],
  });
  const visitor = await visit(site.embedding(server, "remote"), {
    before: (context) => context.clock.install(),
  });
  const panel = await visitor.open();
  await double.will({ say: ["I am ", "listening."] });
  await panel.say("Hello?");
  await panel.answer("I am listening.");
  const { sessions } = await double.state();
  assert.equal(sessions.length, 1);
  const at = Date.now();
  await atVapi("PATCH", `session/${sessions[0].id}`, { status: "completed" });
  while ((await visitor.history()).session.status !== "ended") await sleep(50);
  await panel.says("Connected");
  await visitor.page.context().clock.runFor(61_000);
  await panel.over("The assistant ended this chat.");
  assert.equal((await visitor.hears("session-end")).detail, "provider_ended");
  assert.equal(await panel.by("visitor", "Hello?").count(), 1, "what was said stays");
  await panel.button("Start new chat").waitFor();
  await assertEnded(visitor, "provider_ended", at);
});

journey("Vapi refuses for good: the chat is over, and its owner knows why", async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "remote"));
  const panel = await visitor.open();
  const refusal = { message: "Purchase credits to use chat.", error: "Payment Required", statusCode: 402 };
  await double.will({ fail: [402, JSON.stringify(refusal)] });
  await panel.say("Hello?");
  await panel.over("This chat could not be carried on.");
  const at = Date.now();
  const answer = panel.scope.locator("article[data-role=assistant][data-status=failed]");
  await answer.getByText("The assistant is not available at the moment.").waitFor();
  assert.equal(await panel.button("Try again").count(), 0, "which could not help");
  assert.equal((await visitor.hears("session-end")).detail, "failed");
  await assertEnded(visitor, "failed", at);
  const { timeline } = await json(await server.own(`logs/${visitor.session.id}`));
  const failed = timeline.filter(({ kind }) => kind === "answer_failed").map(({ detail }) => detail);
  assert.equal(failed.length, 1);
  assert.equal(failed[0].code, "assistant_unavailable");
  assert.match(failed[0].cause, /Purchase credits.*payment method/);
  const seen = await panel.scope.locator("body").textContent();
  assert.doesNotMatch(seen, /credit|payment/i, "nobody else does");

  // It is paid for.
  await double.will({ say: ["Hello ", "again."] });
  await panel.button("Start new chat").click();
  await panel.say("Hello?");
  await panel.answer("Hello again.");
});
