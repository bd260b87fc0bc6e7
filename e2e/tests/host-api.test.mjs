// What a host page's own scripts can do with the widget.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";
import { tag } from "../support/site.mjs";

const journey = journeys();
const STUB = "<script>window.Banter = function () { (Banter.q = Banter.q || []).push(arguments); };";

journey("Calls made before the loader has arrived are done when it has",
  async ({ server, model, site, visit }) => {
  model.will({ say: "You called." });
  const calls = `${STUB}
    Banter("on", "open", () => (window.opened = true));
    Banter("open");
    Banter("send", "From the page");</script>`;
  const visitor = await visit(site.page({ head: calls + tag(server, "test") }));
  const panel = await visitor.panel();
  await panel.answer("You called.");
  assert.equal(await panel.by("visitor", "From the page").count(), 1);
  assert.equal(await visitor.page.evaluate(() => window.opened), true);
});

journey("A host page opens, closes, toggles, says, ends, listens and stops listening",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  await visitor.hears("ready");
  const call = (...words) => visitor.page.evaluate((words) => void window.Banter(...words), words);
  await visitor.page.evaluate(() => {
    window.counted = [];
    window.listener = () => window.counted.push("mine");
    window.Banter.on("open", window.listener);
    window.Banter.on("open", () => window.counted.push("other"));
  });
  await call("open");
  const panel = await visitor.panel();
  await call("close");
  await visitor.waitUntilHidden("dialog");
  await call("toggle");
  await visitor.panel();
  await visitor.page.evaluate(() => window.Banter.off("open", window.listener));
  await call("toggle");
  await visitor.waitUntilHidden("dialog");

  model.will({ say: "Heard you." });
  await call("send", "Said by the page");
  await visitor.hears("unread");
  assert.equal(await visitor.isShown("dialog"), false, "saying something opens nothing");
  await call("open");
  await panel.answer("Heard you.");
  assert.equal(await panel.by("visitor", "Said by the page").count(), 1);
  await call("end");
  assert.equal((await visitor.hears("session-end")).detail, "visitor_ended");
  await panel.button("Start new chat").waitFor();
  const counted = await visitor.page.evaluate(() => window.counted);
  assert.deepEqual(counted, ["mine", "other", "mine", "other", "other"]);

  const element = visitor.page.locator("banter-widget");
  await element.evaluate((widget) => widget.close());
  await visitor.waitUntilHidden("dialog");
  await element.evaluate((widget) => widget.open());
  await visitor.panel();
});

journey("An element that comes late, leaves and comes back takes up its conversation",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.page({ head: tag(server, "test", "data-manual") }));
  await visitor.page.waitForFunction(() => window.Banter);
  assert.equal(await visitor.page.locator("banter-widget").count(), 0, "a manual tag places nothing");
  const insert = () =>
    visitor.page.evaluate(() => {
      window.widget ??= document.createElement("banter-widget");
      window.widget.setAttribute("widget", "test");
      document.body.append(window.widget);
    });
  await insert();
  model.will({ say: "Welcome." });
  const panel = await visitor.open();
  await panel.say("I am new here");
  await panel.answer("Welcome.");

  await visitor.page.evaluate(() => window.widget.remove());
  await visitor.page.waitForFunction(() => window.frames.length === 0);
  await insert();
  await visitor.part("panel");
  if (!(await visitor.isShown("dialog"))) await (await visitor.part("launcher")).click();
  const again = await visitor.panel();
  await again.answer("Welcome.");
  assert.equal(await again.by("visitor").count(), 1);
  model.will({ say: "Still here." });
  await again.say("And back");
  await again.answer("Still here.");
});

journey("Two widgets on one page know nothing of each other", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.page({ head: tag(server, "test") + tag(server, "second") }));
  const first = await visitor.open("test");
  model.will({ say: "I am the first." });
  await first.say("To the first");
  await first.answer("I am the first.");
  const box = async (widget) => (await visitor.part("launcher", widget)).boundingBox();
  const [left, right] = [await box("second"), await box("test")];
  assert.ok(left.x + left.width < right.x, "in different corners");

  const second = await visitor.open("second");
  await second.scope.getByRole("heading", { name: "Second desk" }).waitFor();
  assert.equal(await second.by("visitor").count(), 0);
  model.will({ say: "I am the second." });
  await second.say("To the second");
  await second.answer("I am the second.");
  const texts = (await first.transcript()).map(([, text]) => text);
  assert.deepEqual(texts, ["Hello, I'm Echo.", "To the first", "I am the first."]);

  await visitor.page.evaluate(() => window.Banter("close", { widget: "second" }));
  await visitor.waitUntilHidden("dialog", "second");
  assert.equal(await visitor.isShown("dialog", "test"), true);
  const added = await visitor.page.evaluate(() => Object.keys(window).filter((name) => /banter/i.test(name)));
  assert.deepEqual(added, ["Banter"]);
});

journey("Destroying takes everything away, and a later tag starts afresh",
  async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  await visitor.open();
  await visitor.page.evaluate(() => {
    window.counted = 0;
    window.Banter.on("open", () => (window.counted += 1));
    window.Banter("destroy");
  });
  await visitor.page.waitForFunction(() => window.frames.length === 0);
  assert.equal(await visitor.page.locator("banter-widget").count(), 0);
  await visitor.page.evaluate(() => window.Banter("open"));
  assert.equal(await visitor.page.evaluate(() => window.frames.length), 0, "nothing left to open");

  await visitor.page.evaluate((src) => {
    document.head.append(Object.assign(document.createElement("script"), { src }));
  }, `${server.origin}/embed/test.js`);
  await visitor.panel();
  assert.equal(await visitor.page.evaluate(() => window.counted), 0, "nor anybody to tell");
});

journey("A navigation without a page load leaves the visitor their chat",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  model.will({ say: "I stay." });
  await panel.say("I go on");
  await panel.answer("I stay.");
  await visitor.page.evaluate(() => {
    const body = document.createElement("body");
    body.append("The next page.");
    document.body.replaceWith(body);
  });
  await visitor.page.waitForFunction(() => document.querySelectorAll("banter-widget").length === 1);
  const again = await visitor.open();
  await again.answer("I stay.");
  assert.equal(await again.by("visitor").count(), 1);
});
