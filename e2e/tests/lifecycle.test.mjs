// Every way a conversation ends that a visitor has a part in: the panel says why, and the server has the same
// reason at the right time. And every way it does not end.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { assertActive, assertEnded, assertLogged, graceOver } from "../support/ends.mjs";
import { journeys } from "../support/journey.mjs";
import { Panel } from "../support/panel.mjs";

/** Seconds. */
const GRACE = 1;
const PATIENT = 5;
const NONE = { tab_closed: false, hidden: false, collapsed: false };

const journey = journeys((settings) => {
  const { test } = settings.widgets;
  const leave = { tab_closed: GRACE, hidden: GRACE, collapsed: GRACE };
  settings.widgets.hasty = { ...test, leave };
  settings.widgets.patient = { ...test, leave: { tab_closed: PATIENT, hidden: PATIENT, collapsed: PATIENT } };
  settings.widgets.deaf = { ...test, leave: NONE };
  return settings;
});

/** Says something, so that there is a conversation. */
async function converse(visitor, model, widget) {
  const panel = await visitor.open(widget);
  model.will({ say: "I am listening." });
  await panel.say("Hello?");
  await panel.answer("I am listening.");
  return panel;
}

journey("Ending by hand: the panel says so, and the server has it", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "hasty"));
  const panel = await converse(visitor, model);
  const at = Date.now();
  await panel.button("End chat").click();
  await panel.over("You ended this chat.");
  assert.equal(await panel.by("visitor", "Hello?").count(), 1, "what was said stays");
  await assertEnded(visitor, "visitor_ended", at);
});

journey("Collapsing: the conversation ends after its grace period", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "hasty"));
  const panel = await converse(visitor, model);
  const at = Date.now() + GRACE * 1_000;
  await panel.button("Minimise chat").click();
  await visitor.waitUntilHidden("dialog");
  await graceOver(GRACE);
  await visitor.open();
  await panel.over("This chat ended while it was minimised.");
  assert.equal((await visitor.hears("session-end")).detail, "collapsed");
  await assertEnded(visitor, "collapsed", at);
});

journey("Closing the tab: the next page knows why it ended", async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "hasty");
  const visitor = await visit(address);
  await converse(visitor, model);
  // Another page of the same window, so that the browser lives on.
  const next = await tab(visitor, site.page());
  const at = Date.now() + GRACE * 1_000;
  await visitor.page.close({ runBeforeUnload: true });
  await graceOver(GRACE);
  await assertEnded(visitor, "tab_closed", at);
  await next.page.goto(address);
  const panel = await next.open();
  await panel.over("This chat ended when the page was closed.");
  assert.equal(await panel.by("visitor", "Hello?").count(), 1);
});

for (const isolation of ["frame", "page"]) {
  journey(`Taking the widget off is closing the tab, to a ${isolation} too`,
    async ({ server, model, site, visit }) => {
    const body = `<banter-widget widget="hasty" isolation="${isolation}"></banter-widget>`;
    const visitor = await visit(site.embedding(server, "hasty", { body }));
    const element = visitor.page.locator("banter-widget");
    await visitor.page.evaluate(() => window.Banter("open"));
    const panel = await (isolation === "page" ? new Panel(element).running() : visitor.panel("hasty"));
    const began = Date.now();
    model.will({ say: "I am listening." });
    await panel.say("Hello?");
    await panel.answer("I am listening.");
    const duration = Date.now() - began + GRACE * 1_000;
    await visitor.page.evaluate(() => window.Banter("destroy"));
    await graceOver(GRACE);
    await assertLogged(visitor, "tab_closed", duration);
  });
}

journey("Hiding the page: another tab in front ends it after its grace period",
  async ({ server, model, site, desk, sit }) => {
  const window = await desk();
  const visitor = await sit(window, site.embedding(server, "hasty"));
  const panel = await converse(visitor, model);
  const other = await sit(window, site.page());
  const at = Date.now() + GRACE * 1_000;
  await other.page.bringToFront();
  assert.equal(await panel.scope.evaluate(() => document.visibilityState), "hidden");
  await graceOver(GRACE);
  await visitor.page.bringToFront();
  await panel.over("This chat ended while you were away from the page.");
  await assertEnded(visitor, "hidden", at);
});

journey("The owner ends it: whoever goes on is told", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await converse(visitor, model);
  const at = Date.now();
  const response = await server.own(`logs/${visitor.session.id}/end`, { method: "POST" });
  assert.equal(response.status, 200);
  await panel.input.pressSequentially("Are you st", { delay: 30 }).catch(() => {});
  await panel.over("This chat was closed by our team.");
  // Enter, pressed in the middle of a sentence, begins nothing.
  await visitor.page.keyboard.press("Enter");
  await panel.over("This chat was closed by our team.");
  await assertEnded(visitor, "owner_ended", at);
});

journey("The owner ends it: a panel where nothing is said finds out", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"), { before: (context) => context.clock.install() });
  const panel = await converse(visitor, model);
  const at = Date.now();
  await server.own(`logs/${visitor.session.id}/end`, { method: "POST" });
  await visitor.page.context().clock.runFor(61_000);
  await panel.over("This chat was closed by our team.");
  await assertEnded(visitor, "owner_ended", at);
});

journey("The owner ends it during an answer: nothing offers to try again", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await converse(visitor, model);
  model.will({ hold: "One two three." });
  await panel.say("Count");
  model.release(1);
  await panel.answer("One", "streaming");
  const at = Date.now();
  await server.own(`logs/${visitor.session.id}/end`, { method: "POST" });
  await panel.over("This chat was closed by our team.");
  await panel.answer("One", "interrupted");
  assert.equal(await panel.button("Try again").count(), 0);
  await assertEnded(visitor, "owner_ended", at);
});

for (const [how, refuse] of [
  ["takes no beacon", () => (navigator.sendBeacon = () => false)],
  ["throws at one", () => (navigator.sendBeacon = () => { throw new TypeError("no"); })],
]) {
  journey(`Leaving is told also where the browser ${how}`, async ({ server, model, site, visit }) => {
    const visitor = await visit(site.embedding(server, "hasty"), {
      before: (context) => context.addInitScript(refuse),
    });
    const panel = await converse(visitor, model);
    const at = Date.now() + GRACE * 1_000;
    await panel.button("Minimise chat").click();
    await visitor.waitUntilHidden("dialog");
    await graceOver(GRACE);
    await assertEnded(visitor, "collapsed", at);
  });
}

journey("Who is back within the grace period goes on", async ({ server, model, site, desk, sit }) => {
  const window = await desk();
  const visitor = await sit(window, site.embedding(server, "patient"));
  const panel = await converse(visitor, model);
  const other = await sit(window, site.page());
  const came = () => visitor.page.waitForResponse((response) => response.url().endsWith("/activity"));

  await other.page.bringToFront();
  await sleep(500);
  let back = came();
  await visitor.page.bringToFront();
  assert.equal((await back).status(), 200);

  await panel.button("Minimise chat").click();
  await visitor.waitUntilHidden("dialog");
  back = came();
  await visitor.open();
  assert.equal((await back).status(), 200);

  await visitor.page.reload();
  const again = await visitor.open();
  await again.answer("I am listening.");
  // Longer than any of the three grace periods.
  await graceOver(PATIENT);
  model.will({ say: "Still listening." });
  await again.say("Still there?");
  await again.answer("Still listening.");
  await assertActive(visitor);
});

journey("What the owner switched off ends nothing", async ({ server, model, site, desk, sit }) => {
  const window = await desk();
  const address = site.embedding(server, "deaf");
  const visitor = await sit(window, address);
  const panel = await converse(visitor, model);
  await panel.button("Minimise chat").click();
  const other = await sit(window, site.page());
  await other.page.bringToFront();
  await visitor.page.close({ runBeforeUnload: true });
  await graceOver(GRACE);
  const told = visitor.requests.filter((url) => url.endsWith("/end"));
  assert.deepEqual(told, []);
  await assertActive(visitor);
});

journey("A hidden tab ends nothing while another is in front; the last one does",
  async ({ server, model, site, desk, sit }) => {
  const window = await desk();
  const address = site.embedding(server, "patient");
  const left = await sit(window, address);
  const leftPanel = await converse(left, model);
  const right = await sit(window, address);
  const rightPanel = await right.open();
  await rightPanel.answer("I am listening.");
  await graceOver(PATIENT);
  await assertActive(left);

  const other = await sit(window, site.page());
  await other.page.bringToFront();
  // One more second is for a tab that may be shown next.
  await graceOver(PATIENT + 1);
  for (const [visitor, panel] of [[right, rightPanel], [left, leftPanel]]) {
    await visitor.page.bringToFront();
    await panel.over("This chat ended while you were away from the page.");
  }
  await assertEnded(left, "hidden");
  const told = right.requests.filter((url) => url.endsWith("/end"));
  assert.equal(told.length, 1);
});

journey("After an end the conversation can be carried on, and the assistant knows what was said",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const visitor = await visit(address);
  const panel = await converse(visitor, model);
  await panel.button("End chat").click();
  await panel.over("You ended this chat.");
  const first = visitor.session.id;
  await visitor.page.keyboard.press("Tab");
  await visitor.page.keyboard.press("Enter");
  await panel.takesKeys();
  await panel.scope.getByText("Your earlier chat is above").waitFor();
  model.will({ say: "You said hello." });
  await visitor.page.keyboard.type("What did I say?");
  await visitor.page.keyboard.press("Enter");
  await panel.answer("You said hello.");
  assert.notEqual(visitor.session.id, first);
  const asked = JSON.stringify(model.requests.at(-1).messages);
  assert.match(asked, /Hello\?.*I am listening\..*What did I say\?/);
  const expected = await panel.transcript();
  const texts = expected.map(([, text]) => text);
  assert.deepEqual(texts.filter((text) => text !== "Hello, I'm Echo."), [
    "Hello?",
    "I am listening.",
    "What did I say?",
    "You said hello.",
  ]);

  // Another tab, and this one after a reload, show the same.
  const other = await tab(visitor, address);
  const otherPanel = await other.open();
  await otherPanel.answer("You said hello.");
  await otherPanel.by("visitor", "Hello?").waitFor();
  assert.equal(await otherPanel.scope.getByText("Your earlier chat is above").count(), 1);
});

journey("A conversation that the server will not carry on begins anew",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await converse(visitor, model);
  await panel.button("End chat").click();
  await panel.over("You ended this chat.");
  await visitor.page.route("**/sessions", async (route) => {
    const { continues, ...rest } = route.request().postDataJSON();
    const postData = JSON.stringify(continues ? { ...rest, continues: "forged" } : rest);
    await route.continue({ postData });
  });
  await panel.button("Continue this chat").click();
  await panel.by("visitor").waitFor({ state: "detached" });
  model.will({ say: "We have not met." });
  await panel.say("Remember me?");
  await panel.answer("We have not met.");
});

journey("The last seconds are counted, and typing, a button or the server's word gives new ones",
  async ({ server, model, site, visit }) => {
  // Only this browser's clock is turned: the server has all the time in the world.
  const before = (context) => context.clock.install();
  const visitor = await visit(site.embedding(server, "test"), { before });
  const panel = await converse(visitor, model);
  const recorded = await panel.record();
  const { clock } = visitor.page;
  const gone = () => panel.notice.waitFor({ state: "hidden" });
  const told = () => visitor.page.waitForResponse((response) => response.url().endsWith("/activity"));

  await clock.runFor(145_000);
  assert.equal(await panel.notice.isVisible(), false);
  await clock.runFor(10_000);
  await panel.notice.filter({ hasText: /^This chat ends in 2\d s$/ }).waitFor();
  await clock.runFor(5_000);
  assert.equal((await recorded()).announced.filter((text) => text.includes("ends in")).length, 1);

  let answered = told();
  await panel.input.press("h");
  await gone();
  assert.equal((await answered).status(), 200);

  await clock.runFor(160_000);
  await panel.notice.filter({ hasText: "This chat ends in" }).waitFor();
  answered = told();
  await panel.button("Stay").press("Enter");
  await gone();
  assert.equal((await answered).status(), 200);
  await panel.takesKeys();

  // No time is left here; the server knows better.
  await clock.runFor(181_000);
  await gone();
  await panel.says("Connected");
  assert.equal(await panel.input.isVisible(), true);
});

journey("A countdown is stopped in every tab by whoever types in one",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const visitor = await visit(address, { before: (context) => context.clock.install() });
  const panel = await converse(visitor, model);
  const other = await tab(visitor, address);
  const otherPanel = await other.open();
  await otherPanel.answer("I am listening.");
  await visitor.page.context().clock.runFor(155_000);
  for (const { notice } of [panel, otherPanel]) await notice.waitFor();
  await otherPanel.input.press("h");
  for (const { notice } of [panel, otherPanel]) await notice.waitFor({ state: "hidden" });
});

journey("Two tabs that say their first word at once begin one conversation",
  async ({ server, model, site, visit, tab }) => {
  const address = site.embedding(server, "test");
  const left = await visit(address);
  const right = await tab(left, address);
  const panels = [await left.open(), await right.open()];
  const created = [];
  await left.page.context().route("**/sessions", async (route) => {
    created.push(route.request().url());
    await sleep(300);
    await route.continue();
  });
  model.will({ say: "One of two." });
  await Promise.all(panels.map((panel, index) => panel.say(`First of ${index}`)));
  for (const panel of panels) {
    await panel.by("visitor", "First of 0").waitFor();
    await panel.by("visitor", "First of 1").waitFor();
    await panel.answered(2);
  }
  assert.equal(created.length, 1);
  assert.equal(left.session.id, right.session.id);
});

for (const [isolation, body] of [
  ["the loader", ""],
  ["page mode", '<banter-widget widget="test" isolation="page"></banter-widget>'],
]) {
  journey(`With a keyboard the launcher becomes a dot and itself again (${isolation})`,
    async ({ server, site, visit }) => {
    const visitor = await visit(site.embedding(server, "test", { body }));
    await visitor.hears("ready");
    const launcher = await visitor.part("launcher");
    const size = async () => (await launcher.boundingBox()).width;
    const name = () => launcher.getAttribute("aria-label");
    const kept = () => visitor.page.evaluate(() => Object.keys(sessionStorage).length);
    const [large, called] = [await size(), await name()];
    assert.equal(await kept(), 0);

    await launcher.focus();
    await visitor.page.keyboard.press("Tab");
    await visitor.page.keyboard.press("Enter");
    await visitor.page.waitForFunction((launcher) => launcher.offsetWidth < 40, launcher);
    assert.ok((await size()) >= 24);
    assert.equal(await name(), "Enlarge chat button");
    await visitor.waitForFocus("launcher");
    const { x, y } = await launcher.boundingBox();
    const hit = ([x, y]) => document.elementFromPoint(x, y)?.localName;
    assert.equal(await visitor.page.evaluate(hit, [x - 9, y - 9]), "banter-widget", "44 px to hit");
    assert.equal(await kept(), 1);

    await visitor.page.reload();
    await visitor.hears("ready");
    const again = await visitor.part("launcher");
    await visitor.page.waitForFunction((launcher) => launcher.offsetWidth < 40, again);
    await again.focus();
    await visitor.page.keyboard.press("Space");
    await visitor.page.waitForFunction((launcher) => launcher.offsetWidth > 40, again);
    assert.deepEqual([(await again.boundingBox()).width, await again.getAttribute("aria-label")], [large, called]);
    await visitor.waitForFocus("launcher");
    await visitor.page.keyboard.press("Enter");
    const scope = body ? visitor.page.locator("banter-widget") : (await visitor.panel()).scope;
    await new Panel(scope).running();
  });
}
