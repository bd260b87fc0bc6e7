// The other ways of placing the panel, windows of other sizes than a desktop's, and the dark.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const journey = journeys();
const placed = (layout) =>
  `<div id="place"><banter-widget widget="test" layout="${layout}"></banter-widget></div>`;

journey("Inline, the panel fills its place on the page and waits to be chosen",
  async ({ server, model, site, visit }) => {
  const css = "#place { width: 500px; height: 420px; margin-top: 60px } banter-widget { height: 100% }";
  const visitor = await visit(site.embedding(server, "test", { body: placed("inline"), css }));
  const panel = await visitor.panel();
  assert.equal(await visitor.isShown("launcher"), false);
  const frame = await (await visitor.part("panel")).boundingBox();
  const place = await visitor.page.locator("banter-widget").boundingBox();
  assert.deepEqual(frame, place);
  assert.equal(frame.width, 500);
  assert.equal(await visitor.page.evaluate(() => document.activeElement.localName), "body");
  assert.equal(await panel.button("Minimise chat").count(), 0, "nothing to minimise into");

  model.will({ say: "In line." });
  await panel.say("Where are you?");
  await panel.answer("In line.");
  await visitor.page.keyboard.press("Escape");
  assert.equal(await visitor.isShown("panel"), true);
});

journey("Full screen, the panel is the window", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test", { body: placed("fullscreen") }));
  const panel = await visitor.panel();
  const dialog = await visitor.part("dialog");
  await dialog.evaluate((element) => Promise.all(element.getAnimations().map(({ finished }) => finished)));
  assert.deepEqual(await dialog.boundingBox(), { x: 0, y: 0, ...visitor.page.viewportSize() });
  model.will({ say: "Everywhere." });
  await panel.say("Where are you?");
  await panel.answer("Everywhere.");
});

for (const [colorScheme, paper] of [["light", "rgb(255, 255, 255)"], ["dark", "rgb(22, 24, 29)"]]) {
  journey(`A visitor whose system is ${colorScheme} gets a panel that is too`, async ({ server, site, visit }) => {
    const visitor = await visit(site.embedding(server, "test"), { colorScheme });
    const panel = await visitor.open();
    const app = panel.scope.locator("#app");
    assert.equal(await app.evaluate((element) => getComputedStyle(element).backgroundColor), paper);
    assert.equal(await app.evaluate((element) => getComputedStyle(element).colorScheme), colorScheme);
  });
}

journey("A page zoomed to 400 % shows all of the panel", async ({ server, model, site, visit }) => {
  const viewport = { width: 320, height: 256 };
  const visitor = await visit(site.embedding(server, "test"), { viewport });
  const panel = await visitor.open();
  const long = "A word thatisverylongandhasnoplacetobreakatall and `some_code_that_is_as_long_as_that_word`.";
  model.will({ say: long });
  await panel.say("Say something long");
  await panel.answer("A word");
  const dialog = await visitor.part("dialog");
  assert.deepEqual(await dialog.boundingBox(), { x: 0, y: 0, ...viewport });
  for (const frame of visitor.page.frames()) {
    const wide = await frame.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, frame.url());
  }
  assert.ok((await panel.log.boundingBox()).height > 40, "there is room to read");
});

journey("Behind a panel that covers the window nothing takes the focus", async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"), { viewport: { width: 390, height: 700 } });
  const panel = await visitor.open();
  await panel.takesKeys();
  // WCAG 2.2, 2.4.11: what has the focus is not hidden behind something else.
  const places = [];
  for (let press = 0; press < 6; press += 1) places.push(await visitor.move("Shift+Tab", panel));
  const ofThePage = ["a", "button", "input"];
  assert.deepEqual(places.filter((place) => ofThePage.includes(place)), []);
});
