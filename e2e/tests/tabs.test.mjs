// Two tabs of one browser show one conversation. Whatever is done or looked at in a tab, the tab is brought to
// the front first, because browsers neither draw nor always feed a tab that nobody sees.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const journey = journeys();

journey("Two tabs stay in step, both ways, word by word, and end together",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const left = await visit(address);
  const leftPanel = await left.open();
  const right = await tab(left, address);
  const rightPanel = await right.open();

  await left.page.bringToFront();
  model.will({ hold: "one two three four" });
  await leftPanel.say("From the left");
  await leftPanel.by("visitor", "From the left").waitFor();
  model.release(2);
  await leftPanel.answer("one two", "streaming");
  await right.page.bringToFront();
  await rightPanel.answer("one two", "streaming");
  assert.equal(await rightPanel.by("visitor", "From the left").count(), 1);
  model.release();
  await rightPanel.answer("one two three four");
  assert.equal(model.calls, 1);

  model.will({ say: "five six" });
  await rightPanel.say("From the right");
  await rightPanel.answer("five six");
  const transcript = await rightPanel.transcript();
  assert.deepEqual(transcript.map(([, text]) => text), [
    "Hello, I'm Echo.",
    "From the left",
    "one two three four",
    "From the right",
    "five six",
  ]);
  await left.page.bringToFront();
  await leftPanel.answer("five six");
  assert.deepEqual(await leftPanel.transcript(), transcript);
  assert.equal(model.calls, 1);

  await leftPanel.button("End chat").click();
  await right.page.bringToFront();
  await rightPanel.scope.getByText("You ended this chat.").waitFor();
  assert.equal(await rightPanel.input.isVisible(), false);
  await rightPanel.button("Start new chat").click();
  await left.page.bringToFront();
  await leftPanel.input.waitFor();
  await leftPanel.by("visitor").first().waitFor({ state: "detached" });
});

journey("A tab that hears of a message while it reads the conversation shows both",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const left = await visit(address);
  const leftPanel = await left.open();
  const right = await tab(left, address);
  const rightPanel = await right.open();
  // The right tab reads the conversation before the left tab's message is there, and learns what it
  // read only after it was told of the message.
  const read = promise();
  const told = promise();
  await left.page.route("**/messages", async (route) => {
    await read;
    await route.continue();
  });
  await right.page.route("**/visitor/v1/sessions/*", async (route) => {
    const response = await route.fetch();
    read.resolve();
    await told;
    await route.fulfill({ response });
  });
  const hears = await rightPanel.scope.evaluateHandle(() => {
    const channel = new BroadcastChannel("banter:test");
    const promise = new Promise((heard) => {
      channel.onmessage = ({ data }) => data.includes("asked") && heard();
    });
    return { channel, promise };
  });
  await left.page.bringToFront();
  model.will({ hold: "one two three" });
  await leftPanel.say("From the left");
  await hears.evaluate(({ promise }) => promise);
  told.resolve();
  await right.page.bringToFront();
  await rightPanel.by("visitor", "From the left").waitFor();
  model.release();
  await rightPanel.answer("one two three");
  const transcript = await rightPanel.transcript();
  await left.page.bringToFront();
  await leftPanel.answer("one two three");
  assert.deepEqual(await leftPanel.transcript(), transcript);
  assert.equal(model.calls, 1);
});

/** A promise that is resolved by hand. */
function promise() {
  let resolve;
  const made = new Promise((done) => (resolve = done));
  return Object.assign(made, { resolve });
}
