// What takes a minute of the server's clock, all of it in the same minute: silence with the panel open, a
// browser that was killed, somebody who types, and a conversation whose time is up.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { assertActive, assertEnded, assertLogged } from "../support/ends.mjs";
import { journeys } from "../support/journey.mjs";
import { Server } from "../support/server.mjs";
import { settings } from "../support/settings.mjs";

const MINUTE = 60_000;
const NO_LEAVE = { tab_closed: false, hidden: false, collapsed: false };
const brief = (settings) => {
  settings.widgets.brief = { ...settings.widgets.test, inactivity_minutes: 1, leave: NO_LEAVE };
  return settings;
};
const journey = journeys(brief);

journey("A minute of silence ends a conversation, whether anybody looks or not",
  async ({ server, model, site, visit, desk, sit }) => {
  const short = await Server.start({ ...brief(settings(model)), session: { max_minutes: 1 } });
  try {
    model.will({ say: "I am listening." });
    const converse = async (visitor) => {
      const panel = await visitor.open();
      await panel.say("Hello?");
      await panel.answer("I am listening.");
      return { visitor, panel, at: Date.now() };
    };
    const address = site.embedding(server, "brief");
    const window = await desk();
    const killed = await converse(await sit(window, address));
    const silent = await converse(await visit(address));
    const typing = await converse(await visit(address));
    const patient = await visit(site.embedding(short, "test"));
    patient.server = short;
    const expiring = await converse(patient);
    // A browser writes to its disk when it has the time.
    await sleep(Math.max(0, killed.at + 8_000 - Date.now()));
    await window.kill();

    await silent.panel.notice.filter({ hasText: /^This chat ends in \d+ s$/ }).waitFor({ timeout: 40_000 });
    await typing.panel.notice.waitFor();
    await typing.panel.input.press("h");
    await typing.panel.notice.waitFor({ state: "hidden" });

    await silent.panel.notice.filter({ hasText: "nothing was said" }).waitFor({ timeout: 45_000 });
    await silent.panel.over("This chat ended because nothing was said for a while.");
    await assertEnded(silent.visitor, "inactive", silent.at + MINUTE);
    await sleep(Math.max(0, typing.at + MINUTE + 2_000 - Date.now()));
    await assertActive(typing.visitor);
    assert.equal(await typing.panel.input.inputValue(), "h");

    await assertEnded(killed.visitor, "inactive", killed.at + MINUTE);
    await window.start();
    const again = await sit(window, address);
    const panel = await again.open();
    await panel.over("This chat ended because nothing was said for a while.");
    await panel.by("visitor", "Hello?").waitFor();

    // Nobody says anything here; the panel looks once a minute.
    await expiring.panel.over("This chat has expired.");
    assert.equal((await expiring.visitor.hears("session-end")).detail, "expired");
    // Its token is as old as it is, to the second, so only its owner can look.
    await sleep(1_000);
    const { id, token } = expiring.visitor.session;
    const response = await short.ask(`sessions/${id}`, { token });
    assert.equal((await response.json()).code, "token_expired");
    await assertLogged(expiring.visitor, "expired", MINUTE);
    // And carry it on.
    await expiring.panel.button("Continue this chat").click();
    await expiring.panel.scope.getByText("Your earlier chat is above").waitFor();
    model.will({ say: "Where were we?" });
    await expiring.panel.say("I am back.");
    await expiring.panel.answer("Where were we?");
    assert.match(JSON.stringify(model.requests.at(-1).messages), /Hello\?/);
  } finally {
    await short.stop();
  }
}, { within: 150_000 });
