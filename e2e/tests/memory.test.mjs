// What outlives a page, what happens where nothing can, and what happens when only the page remembers.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";

const journey = journeys();

journey("What was typed and not sent is still there after a reload", async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  await panel.input.pressSequentially("Half a thought");
  await panel.scope.waitForFunction(() => JSON.stringify({ ...localStorage }).includes("Half a thought"));
  await visitor.page.reload();
  const again = await visitor.open();
  assert.equal(await again.input.inputValue(), "Half a thought");
  assert.equal(await again.by("visitor").count(), 0);
});

journey("Where the browser refuses storage the chat works as long as the page lives",
  async ({ server, model, site, visit }) => {
  const refuse = () => {
    const get = () => {
      throw new DOMException("Refused.", "SecurityError");
    };
    const names = ["localStorage", "sessionStorage", "indexedDB", "caches"];
    for (const name of names) Object.defineProperty(window, name, { get });
  };
  const before = (context) => context.addInitScript(refuse);
  const visitor = await visit(site.embedding(server, "test"), { before });
  const panel = await visitor.open();
  for (const number of ["one", "two"]) {
    model.will({ say: `Answer ${number}.` });
    await panel.say(`Question ${number}`);
    await panel.answer(`Answer ${number}.`);
  }
  await panel.button("End chat").click();
  await panel.button("Start new chat").click();
  await panel.input.waitFor();
});

journey("A conversation that the server no longer knows is over, and a new one can begin",
  async ({ server, model, site, visit }) => {
  const visitor = await visit(site.embedding(server, "test"));
  const panel = await visitor.open();
  model.will({ say: "For now." });
  await panel.say("Will you remember me?");
  await panel.answer("For now.");

  await server.kill();
  await server.forget();
  await server.restart();
  await panel.input.fill("Hello again");
  // Typing alone may tell, and then there is nothing left to type into.
  await panel.input.press("Enter", { timeout: 1_000 }).catch(() => {});
  await panel.button("Start new chat").click();
  await panel.input.waitFor();
  model.will({ say: "Nice to meet you." });
  await panel.say("Hello, stranger");
  await panel.answer("Nice to meet you.");
  assert.deepEqual((await visitor.stored()).at(-1), ["assistant", "Nice to meet you.", "complete"]);
});
