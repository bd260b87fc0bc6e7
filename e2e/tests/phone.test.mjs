// On a phone the panel is the screen; in Arabic everything stands the other way round.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const journey = journeys();

journey("On a phone the panel covers the screen and can be closed",
  async ({ server, site, model, visit }) => {
  const visitor = await visit(await site.shop(server), PHONE);
  const launcher = await visitor.part("launcher");
  await launcher.tap();
  const panel = await visitor.panel("demo");
  const dialog = await visitor.part("dialog");
  await dialog.evaluate((element) => Promise.all(element.getAnimations().map(({ finished }) => finished)));
  assert.deepEqual(await dialog.boundingBox(), { x: 0, y: 0, ...PHONE.viewport });
  assert.equal(await launcher.isVisible(), false);

  await panel.input.tap();
  await panel.say("What does delivery to Belgium cost? ".repeat(4));
  await panel.answer("");
  const font = await panel.input.evaluate((input) => parseFloat(getComputedStyle(input).fontSize));
  assert.ok(font >= 16, `under 16 px (${font}) iOS zooms in`);
  for (const frame of visitor.page.frames()) {
    const { scrollWidth, clientWidth } = await frame.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { scrollWidth, clientWidth };
    });
    assert.ok(scrollWidth <= clientWidth, `${frame.url()} is ${scrollWidth} wide`);
  }
  for (const name of ["Minimise chat", "End chat", "Send"]) {
    const { width, height } = await panel.button(name).boundingBox();
    assert.ok(width >= 44 && height >= 44, `${name} is ${width} × ${height}`);
  }

  await panel.button("Minimise chat").tap();
  await visitor.waitUntilHidden("dialog");
  assert.equal(await launcher.isVisible(), true);
  assert.equal(model.calls, 0, "the demo has no model");
});

journey("A phone's keyboard is raised by the visitor, not by opening", async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"), PHONE);
  await (await visitor.part("launcher")).tap();
  const panel = await visitor.panel();
  await panel.scope.waitForFunction(() => document.hasFocus());
  assert.notEqual(await panel.scope.evaluate(() => document.activeElement.localName), "textarea");
});

journey("In Arabic the panel is mirrored", async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "arabic", { dir: "rtl" }));
  const launcher = await visitor.part("launcher");
  assert.equal(await launcher.getAttribute("aria-label"), "فتح المحادثة");
  assert.ok((await launcher.boundingBox()).x < 100, "at the end of the line, which is left");
  const panel = await visitor.open();
  const html = panel.scope.locator("html");
  assert.equal(await html.getAttribute("dir"), "rtl");
  assert.equal(await html.getAttribute("lang"), "ar");

  model.will({ say: "أهلا وسهلا." });
  await panel.say("مرحبا");
  const answer = (await panel.answer("أهلا وسهلا.")).locator(".text");
  const question = panel.by("visitor", "مرحبا").locator(".text");
  const left = async (locator) => (await locator.boundingBox()).x;
  assert.ok((await left(question)) < (await left(answer)), "the visitor's is at the end");
  assert.ok((await left(panel.button("إرسال"))) < (await left(panel.input)));
});
