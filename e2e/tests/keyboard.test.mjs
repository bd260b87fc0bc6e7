// Everything can be done without a pointer, and with an input method.
import assert from "node:assert/strict";
import { InputMethod } from "../support/input-method.mjs";
import { journeys } from "../support/journey.mjs";

const journey = journeys();

journey("A visitor with a keyboard gets in, says something in two lines and gets out again",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const { keyboard } = visitor.page;
  await visitor.part("launcher");
  const onLauncher = (spy) => spy.focused()?.getAttribute("part") === "launcher";
  for (let press = 0; !(await visitor.spy(onLauncher)); press += 1) {
    assert.ok(press < 10, "Tab reaches the launcher");
    await keyboard.press("Tab");
  }
  const launcher = await visitor.part("launcher");
  assert.equal(await launcher.getAttribute("aria-expanded"), "false");
  const ring = await launcher.evaluate((button) => getComputedStyle(button).outlineWidth);
  assert.ok(parseFloat(ring) >= 2, `a focus ring of ${ring}`);

  await keyboard.press("Enter");
  const panel = await visitor.panel();
  await panel.takesKeys();
  assert.equal(await launcher.getAttribute("aria-expanded"), "true");
  model.will({ say: "Two lines." });
  await keyboard.type("One");
  await keyboard.press("Shift+Enter");
  await keyboard.type("Two");
  assert.equal(await panel.by("visitor").count(), 0);
  await keyboard.press("Enter");
  await panel.answer("Two lines.");
  assert.deepEqual((await panel.transcript()).at(-2), ["visitor", "One\nTwo"]);
  assert.equal(await panel.input.inputValue(), "");

  await keyboard.press("Escape");
  await visitor.waitUntilHidden("dialog");
  await visitor.waitForFocus("launcher");
  assert.equal(await launcher.getAttribute("aria-expanded"), "false");
  await keyboard.press("Space");
  await (await visitor.panel()).takesKeys();
});

journey("Tab goes through the panel and leads out of it, both ways", async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.takesKeys();
  const press = (key) => visitor.move(key, panel);
  assert.equal(await visitor.place(panel), "Message");
  const back = [await press("Shift+Tab"), await press("Shift+Tab"), await press("Shift+Tab")];
  assert.deepEqual(back, ["Copy", "Conversation", "Minimise chat"]);
  assert.equal(await press("Shift+Tab"), "launcher");
  assert.equal(await press("Shift+Tab"), "input", "the page's own");
  assert.equal(await press("Tab"), "launcher");
  assert.equal(await press("Tab"), "Minimise chat");
  const forth = [await press("Tab"), await press("Tab"), await press("Tab")];
  assert.deepEqual(forth, ["Conversation", "Copy", "Message"]);
});

journey("Enter that only confirms a character of an input method sends nothing",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.takesKeys();
  const method = await InputMethod.of(panel.scope);
  await method.compose("にほん");
  assert.equal(await panel.input.inputValue(), "にほん");
  await method.enter();
  await method.commit("日本");
  await method.enter(229);
  assert.equal(await panel.input.inputValue(), "日本");
  assert.equal(await panel.by("visitor").count(), 0);

  model.will({ say: "はい。" });
  await visitor.page.keyboard.press("Enter");
  await panel.answer("はい。");
  assert.deepEqual((await panel.transcript()).at(-2), ["visitor", "日本"]);
});
