// A conversation from its first word to its last: with the assistant that ships, with one that fails, and
// with one that tries to smuggle markup in.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const journey = journeys();

const QUESTION = "How long does delivery to Germany take?";
const FACT = "2 to 3 working days";

journey("A visitor asks, watches the answer grow, sees its source, ends and begins anew",
  async ({ server, site, visit }) => {
  const visitor = await visit(await site.shop(server));
  const panel = await visitor.open("demo");
  await panel.says("Ready");
  const recorded = await panel.record();

  await panel.say(QUESTION);
  const answer = await panel.answer(FACT);
  await panel.says("Connected");
  const { texts } = await recorded();
  const whole = await answer.locator(".text").textContent();
  const growing = texts.filter((text) => text.length < whole.length && whole.startsWith(text.slice(0, 20)));
  assert.ok(growing.length > 2, `the answer grew in ${growing.length} steps: ${JSON.stringify(texts)}`);
  const sources = answer.getByRole("list", { name: "Source" });
  assert.match(await sources.innerText(), /delivery/i);

  await panel.button("End chat").click();
  await panel.scope.getByText("You ended this chat.").waitFor();
  await panel.says("Chat ended");
  assert.equal(await panel.input.isVisible(), false);
  assert.equal((await visitor.history()).session.endReason, "visitor_ended");

  await panel.button("Start new chat").click();
  await panel.input.waitFor();
  assert.equal(await panel.by("visitor").count(), 0);
  await panel.say("When is the shop open on Saturday?");
  await panel.answer("9:00 to 17:00");
});

journey("The host page hears what happens and never what is said", async ({ server, site, visit }) => {
  const visitor = await visit(await site.shop(server));
  const panel = await visitor.open("demo");
  await panel.say(QUESTION);
  await panel.answer(FACT);
  await panel.button("End chat").click();
  await visitor.hears("session-end");
  await panel.button("Minimise chat").click();
  await visitor.hears("close");

  const heard = await visitor.heard();
  const names = heard.map(({ name }) => name).filter((name) => name !== "ready" && name !== "open");
  assert.deepEqual(names, ["session-start", "message", "message", "session-end", "close"]);
  const details = (name) => heard.filter((event) => event.name === name).map(({ detail }) => detail);
  assert.equal(details("ready").length, 1);
  assert.equal(details("open").length, 1);
  assert.deepEqual(details("session-start"), [visitor.session.id]);
  assert.deepEqual(details("session-end"), ["visitor_ended"]);
  assert.deepEqual(details("message").map(({ role }) => role), ["visitor", "assistant"]);
  for (const detail of details("message")) assert.deepEqual(Object.keys(detail).sort(), ["id", "role"]);
  assert.ok(heard.every(({ widget }) => widget === "demo"));
  assert.doesNotMatch(JSON.stringify(heard), /Germany|working days/);
});

for (const [fault, script, shown] of [
  ["An assistant that is out of order", { fail: 500 }, ""],
  ["An answer that is cut off", { cut: "This much came " }, "This much came"],
]) {
  journey(`${fault} is said so, and asked again when the visitor wants it`,
    async ({ server, model, site, visit }) => {
    model.will(script);
    const visitor = await visit(site.embedding(server, "test"));
    const panel = await visitor.open();
    await panel.say("Are you well?");
    const failed = await panel.answer(shown, "failed");
    const note = await failed.locator(".note").innerText();
    assert.match(note, /[a-z]{3}.*\./i, "a sentence for the visitor");
    assert.doesNotMatch(note, /500|model is not well|http/i, "nothing of the inside");
    assert.equal((await visitor.hears("error")).detail.startsWith("assistant_"), true);

    model.will({ say: "Quite well again." });
    await failed.getByRole("button", { name: "Try again" }).click();
    await panel.answer("Quite well again.");
    assert.equal(model.calls, 1);
    const expected = [["visitor", "Are you well?"], ["assistant", "Quite well again."]];
    assert.deepEqual((await panel.transcript()).slice(-2), expected);
    assert.deepEqual((await visitor.stored()).slice(-2), expected.map((entry) => [...entry, "complete"]));
  });
}

journey("Markup in an answer is drawn from a short list and never runs",
  async ({ server, model, site, visit }) => {
  const attack = [
    "Look: <img src=x onerror=window.pwned=1> <script>window.pwned=1</script>",
    "[press me](javascript:window.pwned=1) and [me](data:text/html,pwned) and [home](https://example.com/a?b=c)",
    "This is **bold** and this is `code`. THE END",
  ].join("\n\n");
  model.will({ say: attack });
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.say(attack);
  const answer = await panel.answer("THE END");

  const links = await panel.log
    .locator("a")
    .evaluateAll((all) => all.map(({ href, target, rel }) => ({ href, target, rel })));
  assert.deepEqual(links.map(({ href }) => href), ["https://example.com/a?b=c"]);
  assert.equal(links[0].target, "_blank");
  assert.match(links[0].rel, /\bnoopener\b/);
  assert.equal(await panel.log.locator("img, script, iframe, [onerror], [style]").count(), 0);
  assert.equal(await answer.locator("strong").innerText(), "bold");
  assert.equal(await answer.locator("code").innerText(), "code");
  assert.match(await answer.innerText(), /<img src=x onerror=window.pwned=1>/, "shown as it was written");
  for (const frame of visitor.page.frames()) {
    assert.equal(await frame.evaluate(() => window.pwned), undefined);
  }
  assert.equal(await panel.by("visitor", "**bold**").count(), 1, "what the visitor says is no Markdown");
});
