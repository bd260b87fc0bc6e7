// What a machine can find of WCAG's rules, in every state a visitor comes through; and what a screen reader
// is told of an answer.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { journeys } from "../support/journey.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** What only the page around a frame can answer for. */
const DUTIES_OF_A_PAGE = ["region", "landmark-one-main", "page-has-heading-one", "bypass"];
const journey = journeys((settings) => {
  // Too light to be read on white, or to be written on in white.
  settings.widgets.pale = { ...settings.widgets.test, accent: "#ff9a3c" };
  return settings;
});

for (const colorScheme of ["light", "dark"]) {
  journey(`Nothing on the way through a conversation breaks a rule of axe (${colorScheme})`,
    async ({ server, model, site, visit }) => {
    const visitor = await visit(await site.shop(server), { colorScheme });
    await visitor.hears("ready");
    await visitor.spy((spy) => spy.expose());
    await check(visitor.page, "page, closed");

    const panel = await visitor.open("demo");
    await check(visitor.page, "page, open");
    await check(panel.scope, "panel, new");
    await panel.say("What do you cost to send to Germany, and when does it come?");
    await panel.answered(1);
    await panel.say("How do I water a monstera?");
    await panel.answered(2);
    await check(panel.scope, "panel, in conversation");
    await panel.button("End chat").click();
    await panel.button("Start new chat").waitFor();
    await check(panel.scope, "panel, ended");

    for (const widget of ["test", "pale"]) {
      const troubled = await visit(site.embedding(server, widget), { colorScheme });
      const other = await troubled.open();
      model.will({ say: "# A\n\n- `code` and **bold** and [link](https://example.com)\n\n```\nblock\n```" });
      await other.say("Everything at once");
      await other.answer("block");
      model.will({ fail: 500 });
      await other.say("And a failure");
      await other.answer("", "failed");
      await check(other.scope, `${widget}, failed`);
    }
  });
}

for (const colorScheme of ["light", "dark"]) {
  journey(`Nor does its end, its being carried on, or a launcher that is a dot (${colorScheme})`,
    async ({ server, model, site, visit }) => {
    const before = (context) => context.clock.install();
    const visitor = await visit(site.embedding(server, "pale"), { colorScheme, before });
    await visitor.hears("ready");
    await visitor.spy((spy) => spy.expose());
    const launcher = await visitor.part("launcher");
    await launcher.hover();
    await check(visitor.page, "page, launcher under the pointer");
    await launcher.focus();
    await visitor.page.keyboard.press("Tab");
    await visitor.page.keyboard.press("Enter");
    await check(visitor.page, "page, launcher a dot");
    await visitor.page.keyboard.press("Enter");

    const panel = await visitor.open();
    model.will({ say: "I am listening." });
    await panel.say("Hello?");
    await panel.answer("I am listening.");
    await visitor.page.clock.runFor(155_000);
    await panel.notice.filter({ hasText: "This chat ends in" }).waitFor();
    await check(panel.scope, "panel, counting down");
    await panel.button("End chat").click();
    await panel.over("You ended this chat.");
    await check(panel.scope, "panel, ended");
    await panel.button("Continue this chat").click();
    await panel.scope.getByText("Your earlier chat is above").waitFor();
    await check(panel.scope, "panel, carried on");
  });
}

journey("The hosted page breaks no rule of axe", async ({ server, visit }) => {
  const { page } = await visit(`${server.origin}/chat/demo`);
  await page.getByRole("log").waitFor();
  await check(page, "hosted page", []);
});

journey("A screen reader hears of an answer once, when it is complete",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  const recorded = await panel.record();
  model.will({ hold: "one two three" });
  await panel.say("Count");
  for (const so_far of ["one", "one two"]) {
    model.release(1);
    await panel.answer(so_far, "streaming");
    assert.deepEqual((await recorded()).announced, []);
  }
  model.release();
  await panel.answer("one two three");
  await panel.announcer.filter({ hasText: "one two three" }).waitFor({ state: "attached" });
  assert.deepEqual((await recorded()).announced, ["Assistant: one two three"]);
  assert.equal(await panel.log.getAttribute("aria-live"), "off", "or it would be read out twice");
});

journey("Whoever wants less motion gets none that goes on", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"), { reducedMotion: "reduce" });
  const panel = await visitor.open();
  model.will({ hold: "Slowly." });
  await panel.say("How do you move?");
  await panel.scope.getByRole("img", { name: "The assistant is typing" }).waitFor();
  const endless = () =>
    document.getAnimations().filter(({ effect }) => effect.getComputedTiming().endTime === Infinity).length;
  assert.equal(await panel.scope.evaluate(endless), 0);
  assert.equal(await visitor.page.evaluate(endless), 0);
});

/** Runs every rule of axe on a page or a frame that has come to rest. */
async function check(scope, state, except = DUTIES_OF_A_PAGE) {
  const isFrame = "parentFrame" in scope;
  const disabled = isFrame ? except : [];
  await scope.evaluate(AXE);
  const found = await scope.evaluate(async (disabled) => {
    const ends = ({ effect }) => Number.isFinite(effect.getComputedTiming().endTime);
    const moving = document.getAnimations().filter(ends);
    await Promise.all(moving.map(({ finished }) => finished));
    const rules = Object.fromEntries(disabled.map((rule) => [rule, { enabled: false }]));
    // A frame of another origin is looked at by itself.
    const { passes, violations } = await axe.run(document, { rules, iframes: false });
    const describe = ({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`);
    return { kept: passes.map(({ id }) => id), broken: violations.flatMap(describe) };
  }, disabled);
  assert.deepEqual(found.broken, [], state);
  for (const rule of ["color-contrast", "button-name"]) {
    assert.ok(found.kept.includes(rule), `${state}: ${rule} was looked at`);
  }
}
