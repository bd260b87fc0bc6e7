// A reader is left in peace: not moved while they read, and told what came while they looked away.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const LINES = Array.from({ length: 60 }, (_, line) => `Line ${line + 1} of a long answer.`);
const journey = journeys();

journey("A reader who scrolled up stays there while the answer goes on, and gets down again",
  async ({ server, model, site, visit }) => {
  model.will({ hold: LINES.join("\n\n") });
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.say("Tell me a lot");
  const wordsOf = (lines) => lines.join("\n\n").match(/\S+/g).length;
  model.release(wordsOf(LINES.slice(0, 30)));
  await panel.scope.getByText(LINES[29]).waitFor();
  await panel.scope.waitForFunction(atEnd);
  assert.equal(await panel.button("Jump to latest").isVisible(), false);

  await panel.log.hover();
  await visitor.page.mouse.wheel(0, -300);
  const jump = panel.scope.getByRole("button", { name: /^Jump to latest/ });
  await jump.waitFor();
  await panel.scope.waitForFunction(atRest);
  const place = () => panel.log.evaluate((log) => log.scrollTop);
  const before = await place();
  model.release(wordsOf(LINES.slice(30, 50)));
  await panel.scope.getByText(LINES[49]).waitFor();
  assert.equal(await place(), before);

  await jump.click();
  await panel.scope.waitForFunction(atEnd);
  await jump.waitFor({ state: "hidden" });
  model.release();
  await panel.answer(LINES[59]);
  await panel.scope.waitForFunction(atEnd);
});

journey("Answers that come behind a closed panel are counted until it is opened",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  model.will({ hold: "Later." });
  await panel.say("Take your time");
  await panel.scope.getByRole("img", { name: "The assistant is typing" }).waitFor();
  await panel.button("Minimise chat").click();
  await visitor.waitUntilHidden("dialog");
  model.release();
  await visitor.hears("unread");
  const launcher = await visitor.part("launcher");
  const name = () => launcher.getAttribute("aria-label");
  assert.equal(await name(), "Open chat, 1 unread");
  assert.equal((await launcher.innerText()).trim(), "1");

  await launcher.click();
  await panel.answer("Later.");
  assert.equal(await name(), "Minimise chat");
  await panel.button("Minimise chat").click();
  await visitor.waitUntilHidden("dialog");
  assert.equal(await name(), "Open chat");
  assert.equal((await launcher.innerText()).trim(), "");
});

function atEnd() {
  const log = document.querySelector("[role=log]");
  return log.scrollHeight > log.clientHeight && log.scrollHeight - log.scrollTop - log.clientHeight < 2;
}

/** Whether nothing has scrolled for ten frames. */
function atRest() {
  const log = document.querySelector("[role=log]");
  const [place, frames] = window.atRest ?? [];
  window.atRest = place === log.scrollTop ? [place, frames + 1] : [log.scrollTop, 0];
  return window.atRest[1] >= 10;
}
