// Two tabs of one browser show one conversation.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const journey = journeys();

journey("Two tabs stay in step, both ways, word by word, and end together",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const left = await visit(address);
  const right = await tab(left, address);
  await left.page.bringToFront();
  const leftPanel = await left.open();
  await right.page.bringToFront();
  const rightPanel = await right.open();

  model.will({ hold: "one two three four" });
  await leftPanel.say("From the left");
  await rightPanel.by("visitor", "From the left").waitFor();
  model.release(2);
  await rightPanel.answer("one two", "streaming");
  await leftPanel.answer("one two", "streaming");
  model.release();
  await rightPanel.answer("one two three four");
  await leftPanel.answer("one two three four");
  assert.equal(model.calls, 1);

  model.will({ say: "five six" });
  await rightPanel.say("From the right");
  await rightPanel.answer("five six");
  await leftPanel.answer("five six");
  assert.equal(model.calls, 1);
  const transcript = await leftPanel.transcript();
  assert.deepEqual(await rightPanel.transcript(), transcript);
  assert.deepEqual(transcript.map(([, text]) => text), [
    "Hello, I'm Echo.",
    "From the left",
    "one two three four",
    "From the right",
    "five six",
  ]);

  await leftPanel.button("End chat").click();
  await rightPanel.scope.getByText("You ended this chat.").waitFor();
  assert.equal(await rightPanel.input.isVisible(), false);
  await rightPanel.button("Start new chat").click();
  await leftPanel.input.waitFor();
  await leftPanel.by("visitor").first().waitFor({ state: "detached" });
});

journey("A tab that hears of a message while it reads the conversation shows both",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const left = await visit(address);
  const right = await tab(left, address);
  const [leftPanel, rightPanel] = [await left.open(), await right.open()];
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
  const hears = rightPanel.scope.evaluate(
    () =>
      new Promise((heard) => {
        const channel = new BroadcastChannel("banter:test");
        channel.onmessage = ({ data }) => data.includes("asked") && heard();
      }),
  );
  model.will({ hold: "one two three" });
  await leftPanel.say("From the left");
  await hears;
  told.resolve();
  await rightPanel.by("visitor", "From the left").waitFor();
  model.release();
  await rightPanel.answer("one two three");
  // What nobody looks at is not drawn.
  await left.page.bringToFront();
  await leftPanel.answer("one two three");
  assert.deepEqual(await rightPanel.transcript(), await leftPanel.transcript());
  assert.equal(model.calls, 1);
});

/** A promise that is resolved by hand. */
function promise() {
  let resolve;
  const made = new Promise((done) => (resolve = done));
  return Object.assign(made, { resolve });
}
