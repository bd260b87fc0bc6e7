// The same panel in the page itself, and as a page of its own.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";
import { Panel } from "../support/panel.mjs";
import { strictPolicy } from "../support/site.mjs";

const journey = journeys();
const IN_PAGE = '<banter-widget widget="test" isolation="page"></banter-widget>';

journey("In the page itself the chat works, in an open shadow root",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test", { body: IN_PAGE }));
  const { page } = visitor;
  const element = page.locator("banter-widget");
  const launcher = element.getByRole("button", { name: "Open chat" });
  await launcher.click();
  const panel = await new Panel(element).running();
  assert.equal(await element.count(), 1);
  assert.equal(await element.evaluate(({ shadowRoot }) => shadowRoot?.mode), "open");
  assert.equal(page.frames().length, 1, "no frame");

  model.will({ say: "In your own house." });
  // Where the focus is after opening.
  await page.keyboard.type("Where are you?");
  await page.keyboard.press("Enter");
  await panel.answer("In your own house.");
  const names = (await visitor.heard()).map(({ name }) => name);
  assert.deepEqual(names, ["ready", "open", "session-start", "message", "message"]);
  assert.doesNotMatch(JSON.stringify(await visitor.heard()), /house|Where/);

  await page.keyboard.press("Escape");
  await panel.log.waitFor({ state: "hidden" });
  await launcher.waitFor();
  const focused = (host) => host.shadowRoot.activeElement?.getAttribute("part");
  assert.equal(await element.evaluate(focused), "launcher");
  await visitor.hears("close");

  await page.reload();
  await element.getByRole("button", { name: "Open chat" }).click();
  await panel.answer("In your own house.");
});

journey("Where the page's policy forbids WebAssembly the frame takes over",
  async ({ server, model, site, visit }) => {
  const policy = strictPolicy(server);
  const visitor = await visit(site.embedding(server, "test", { body: IN_PAGE, policy }));
  visitor.expected = /Content.Security.Policy/; // of the first try
  model.will({ say: "In a frame then." });
  const panel = await visitor.open();
  await panel.say("Where are you?");
  await panel.answer("In a frame then.");
});

journey("The hosted page is the chat and nothing else, and cannot be framed",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(`${server.origin}/chat/test`);
  const panel = await new Panel(visitor.page).running();
  assert.equal(await panel.button("Minimise chat").count(), 0, "nothing to minimise into");
  model.will({ say: "On a page of my own." });
  await panel.input.waitFor();
  await panel.say("Where are you?");
  await panel.answer("On a page of my own.");
  await visitor.page.reload();
  await panel.answer("On a page of my own.");
  assert.equal(await panel.by("visitor").count(), 1);

  const thief = await visit(site.page({ body: `<iframe src="${server.origin}/chat/test"></iframe>` }));
  thief.expected = /frame-ancestors/;
  const framed = thief.page.frames().at(-1);
  assert.equal(await framed.getByRole("textbox").count(), 0);
});
