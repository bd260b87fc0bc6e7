// A visitor is faster than the app: what they do before it has arrived is not lost.
import assert from "node:assert/strict";
import { InputMethod } from "../support/input-method.mjs";
import { journeys } from "../support/journey.mjs";

const journey = journeys();

/** Holds the app back until `arrive` is called. */
function late() {
  let arrive;
  const arrived = new Promise((resolve) => (arrive = resolve));
  const before = (context) =>
    context.route(/\/assets\/.*\.wasm$/, async (route) => {
      await arrived;
      await route.continue();
    });
  return { before, arrive };
}

/** The composer of the frame that has no app yet, with the focus in it. */
async function composer(visitor) {
  await (await visitor.part("launcher")).click();
  const frame = await visitor.frame();
  await frame.waitForFunction(() => document.hasFocus() && document.activeElement.localName === "textarea");
  assert.equal(await frame.getByRole("log").count(), 0, "the app is not here yet");
  return frame.getByRole("textbox", { name: "Message" });
}

journey("What is typed and sent before the app arrives is sent when it does",
  async ({ server, model, site, visit }) => {
  const { before, arrive } = late();
  const visitor = await visit(site.embedding(server, "test"), { before });
  const input = await composer(visitor);
  await visitor.page.keyboard.type("An early bird");
  await visitor.page.keyboard.press("Enter");
  assert.equal(await input.inputValue(), "An early bird");

  model.will({ say: "Gets an answer." });
  arrive();
  const panel = await visitor.app();
  await panel.answer("Gets an answer.");
  assert.deepEqual((await panel.transcript()).slice(-2), [
    ["visitor", "An early bird"],
    ["assistant", "Gets an answer."],
  ]);
  assert.equal(await panel.input.inputValue(), "");
  assert.equal(model.calls, 1);
  await visitor.page.keyboard.type("and goes on");
  assert.equal(await panel.input.inputValue(), "and goes on");
});

journey("Who is still typing when the app arrives does not notice",
  async ({ server, model, site, visit }) => {
  const { before, arrive } = late();
  const visitor = await visit(site.embedding(server, "test"), { before });
  const input = await composer(visitor);
  await visitor.page.keyboard.type("Half a nce");
  for (let step = 0; step < 3; step += 1) await visitor.page.keyboard.press("ArrowLeft");
  arrive();
  const panel = await visitor.app();
  await visitor.page.keyboard.type("sente");
  assert.equal(await input.inputValue(), "Half a sentence");
  assert.equal(await panel.by("visitor").count(), 0);
  model.will({ say: "Complete." });
  await visitor.page.keyboard.press("Enter");
  await panel.answer("Complete.");
});

journey("An app that arrives while a character is being composed leaves it alone",
  async ({ server, model, site, visit }) => {
  const { before, arrive } = late();
  const visitor = await visit(site.embedding(server, "test"), { before });
  const input = await composer(visitor);
  const method = await InputMethod.of(await visitor.frame());
  await method.compose("にほ");
  await method.enter();
  arrive();
  const panel = await visitor.app();
  await method.compose("にほん");
  await method.enter();
  await method.commit("日本");
  assert.equal(await input.inputValue(), "日本");
  assert.equal(await panel.by("visitor").count(), 0);
  model.will({ say: "はい。" });
  await visitor.page.keyboard.press("Enter");
  await panel.answer("はい。");
  assert.deepEqual((await panel.transcript()).at(-2), ["visitor", "日本"]);
});

journey("An app that cannot be loaded can be asked for again, and the text stays",
  async ({ server, model, site, visit }) => {
  let broken = true;
  const before = (context) =>
    context.route(/\/assets\/.*\.wasm$/, (route) => (broken ? route.abort() : route.continue()));
  const visitor = await visit(site.embedding(server, "test"), { before });
  await composer(visitor);
  await visitor.page.keyboard.type("Still here");
  const frame = await visitor.frame();
  const retry = frame.getByRole("button", { name: "Try again" });
  await retry.waitFor();
  broken = false;
  await retry.click();
  const panel = await visitor.app();
  assert.equal(await panel.input.inputValue(), "Still here");
  model.will({ say: "Yes." });
  await panel.input.press("Enter");
  await panel.answer("Yes.");
});
