// What a visitor sees of reloads, crashes, networks that go away and servers that are too busy: little, and
// nothing twice.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

/** So few that one test can use them up, and one is free again every two seconds. */
const MESSAGES_PER_MINUTE = 30;
const journey = journeys((settings) => {
  settings.limits.messages_per_minute_per_session = MESSAGES_PER_MINUTE;
  return settings;
});

const GREETING = ["assistant", "Hello, I'm Echo."];
const QUESTION = "Count for me";
const ANSWER = "one two three four five six seven eight";

journey("A page that is reloaded in the middle of an answer takes it up again",
  async ({ server, model, site, visit }) => {
  model.will({ hold: ANSWER });
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.say(QUESTION);
  model.release(3);
  await panel.answer("one two three", "streaming");

  await visitor.page.reload();
  const again = await visitor.open();
  await again.answer("one two three", "streaming");
  model.release();
  await again.answer(ANSWER);
  const expected = [GREETING, ["visitor", QUESTION], ["assistant", ANSWER]];
  assert.deepEqual(await again.transcript(), expected);
  assert.deepEqual(await visitor.stored(), expected.map((entry) => [...entry, "complete"]));
  assert.equal(model.calls, 1);
});

journey("A server that loses power in the middle of an answer loses nothing of what was said",
  async ({ server, model, site, visit }) => {
  model.will({ hold: ANSWER });
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.say(QUESTION);
  model.release(3);
  await panel.answer("one two three", "streaming");

  await server.kill();
  await panel.says("Connecting…");
  assert.equal(await panel.by("visitor", QUESTION).count(), 1);
  await server.restart();
  const broken = await panel.answer("", "interrupted");
  await panel.says("Connected");
  assert.match(await broken.innerText(), /interrupted/);

  model.will({ say: ANSWER });
  await broken.getByRole("button", { name: "Try again" }).click();
  await panel.answer(ANSWER);
  const expected = [GREETING, ["visitor", QUESTION], ["assistant", ANSWER]];
  assert.deepEqual(await panel.transcript(), expected);
  assert.deepEqual(await visitor.stored(), expected.map((entry) => [...entry, "complete"]));
  assert.equal(model.calls, 1);

  await visitor.page.reload();
  const again = await visitor.open();
  await again.answer(ANSWER);
  assert.deepEqual(await again.transcript(), expected);
});

journey("What is sent without a network is kept, and sent once when there is one",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  model.will({ say: "Hello there." });
  await panel.say("Hello");
  await panel.answer("Hello there.");

  await visitor.page.context().setOffline(true);
  await panel.says("Offline");
  model.will({ say: "Welcome back." });
  await panel.say("Sent from a tunnel");
  const queued = panel.by("visitor", "Sent from a tunnel");
  await queued.getByText("Waiting for connection").waitFor();
  assert.equal(model.calls, 0);

  await visitor.page.context().setOffline(false);
  await panel.answer("Welcome back.");
  await panel.says("Connected");
  assert.equal(await queued.count(), 1);
  assert.equal(await queued.getByText("Waiting for connection").count(), 0);
  assert.equal(model.calls, 1);
  const stored = await visitor.stored();
  assert.equal(stored.filter(([, text]) => text === "Sent from a tunnel").length, 1);
});

journey("A server that says 'later' is asked again later, without the visitor",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  model.will({ say: "First answer." });
  await panel.say("First");
  await panel.answer("First answer.");

  const { messages } = await visitor.history();
  const { id, text } = messages.find(({ role }) => role === "visitor");
  const { id: session, token } = visitor.session;
  // The same message again is harmless, and counts.
  const repeat = async () => {
    const options = { method: "POST", token, body: JSON.stringify({ id, text }) };
    const response = await server.ask(`sessions/${session}/messages`, options);
    await response.text();
    return response.status;
  };
  let status = 200;
  for (let count = 0; status === 200; count += 1) {
    assert.ok(count <= MESSAGES_PER_MINUTE, "the limit is a limit");
    status = await repeat();
  }
  assert.equal(status, 429);

  model.will({ say: "Second answer." });
  const refused = visitor.page.waitForEvent("response", (response) => response.status() === 429);
  await panel.say("Second");
  await refused;
  await panel.answer("Second answer.");
  assert.equal(model.calls, 1);
  assert.equal(await panel.by("visitor", "Second").count(), 1);
});

journey("A panel that cannot be loaded says so, and loads when asked again",
  async ({ server, model, site, visit }) => {
  const saveData = () => Object.defineProperty(navigator, "connection", { value: { saveData: true } });
  const before = (context) => context.addInitScript(saveData);
  const visitor = await visit(site.embedding(server, "test"), { before });
  const launcher = await visitor.part("launcher");
  assert.equal(visitor.page.frames().length, 1, "who saves data loads the panel only on intent");

  await server.kill();
  await launcher.click();
  await visitor.hears("error");
  const dialog = await visitor.part("dialog");
  assert.match(await dialog.innerText(), /Something went wrong\./);
  await server.restart();
  await (await dialog.$("button")).click();
  const panel = await visitor.panel();
  model.will({ say: "Here again." });
  await panel.say("Anybody there?");
  await panel.answer("Here again.");
});

journey("Several messages in a row keep their order and each gets its answer",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  model.will({ hold: "Answered." });
  for (const text of ["First", "Second", "Third"]) await panel.say(text);
  await panel.by("visitor", "Third").waitFor();
  model.release();
  await panel.answered(3);
  const exchange = (text) => [["visitor", text], ["assistant", "Answered."]];
  const expected = ["First", "Second", "Third"].flatMap(exchange);
  assert.deepEqual(await panel.transcript(), [GREETING, ...expected]);
  assert.deepEqual(await visitor.stored(), [GREETING, ...expected].map((entry) => [...entry, "complete"]));
  assert.equal(model.calls, 3);
});
