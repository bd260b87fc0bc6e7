// What every test file stands on: one server, one model double, one website and one browser for the file,
// a fresh browser profile for each test, and a look at the screen when a test fails.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { Desk, launch } from "./browser.mjs";
import { Model } from "./model.mjs";
import { Server } from "./server.mjs";
import { settings } from "./settings.mjs";
import { Site } from "./site.mjs";
import { KEY, spy } from "./spy.mjs";
import { Visitor } from "./visitor.mjs";

const ARTIFACTS = path.resolve(import.meta.dirname, "../artifacts");
const TEST_WITHIN = 60_000;
/** How long to wait for any one thing to appear. */
const PATIENCE = 15_000;

/**
 * Sets a file up and gives the function that declares its tests, `journey(name, body)`. `body` gets
 *   server, model, site   what its visitors meet
 *   visit(address, options)   a new visitor on that page, in a browser profile of their own; `options` are
 *       Playwright's for a context, and `before(context)`, called before the page is opened
 *   tab(visitor, address)   another tab of the same browser
 *   desk()   a browser in which tabs are hidden and shown; `sit(desk, address)` opens one in it
 * `within`: how long it may take, in milliseconds.
 * @param {(settings: object) => object} configure may change the server's settings
 */
export function journeys(configure = (settings) => settings) {
  const world = {};
  before(async () => {
    world.model = await Model.start();
    world.server = await Server.start(configure(settings(world.model)));
    world.site = await Site.start();
    world.browser = await launch();
  });
  after(async () => {
    await world.browser?.close();
    await Promise.all([world.site?.stop(), world.server?.stop()]);
    await world.model?.stop();
  });
  return (name, body, { within = TEST_WITHIN } = {}) =>
    test(name, { timeout: within }, async () => {
      const visitors = [];
      const contexts = [];
      const desks = [];
      const enter = async (context, address) => {
        const visitor = new Visitor(await context.newPage(), world.server);
        visitors.push(visitor);
        await visitor.page.goto(address);
        return visitor;
      };
      const prepare = (context) => {
        context.setDefaultTimeout(PATIENCE);
        return context.addInitScript(spy, KEY);
      };
      const visit = async (address, { before, ...options } = {}) => {
        const context = await world.browser.newContext(options);
        contexts.push(context);
        await prepare(context);
        await before?.(context);
        return enter(context, address);
      };
      const tab = ({ page }, address) => enter(page.context(), address);
      const desk = async () => {
        const opened = await Desk.open(prepare);
        desks.push(opened);
        return opened;
      };
      const sit = ({ context }, address) => enter(context, address);
      try {
        await body({ ...world, visit, tab, desk, sit });
        for (const { faults } of visitors) assert.deepEqual(faults, []);
      } catch (error) {
        await keepEvidence(name, visitors, world.server);
        throw error;
      } finally {
        for (const context of contexts) await context.close();
        for (const desk of desks) await desk.close();
      }
    });
}

/** Leaves screenshots, faults and the server's log where somebody can look at them. */
async function keepEvidence(name, visitors, server) {
  await mkdir(ARTIFACTS, { recursive: true });
  const base = path.join(ARTIFACTS, name.replace(/\W+/g, "-").slice(0, 80));
  for (const [index, { page, complaints }] of visitors.entries()) {
    await page.screenshot({ path: `${base}-${index + 1}.png` }).catch(() => {});
    await writeFile(`${base}-${index + 1}.txt`, complaints.join("\n"));
  }
  await writeFile(`${base}-server.txt`, server.log);
}
