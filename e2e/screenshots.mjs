// Takes the pictures of the README (`docs/images/*.png`) from the running thing: `npm run screenshots`.
// The same sources give the same pictures: time stands still, and nothing moves when a picture is taken.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { launch } from "./support/browser.mjs";
import { Model } from "./support/model.mjs";
import { Server } from "./support/server.mjs";
import { settings } from "./support/settings.mjs";
import { Site } from "./support/site.mjs";
import { KEY, spy } from "./support/spy.mjs";
import { Visitor } from "./support/visitor.mjs";

const IMAGES = path.resolve(import.meta.dirname, "../docs/images");
const NOW = new Date("2026-05-12T10:24:00Z");
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
/** What is drawn bit by bit would differ by a few pixels each time. */
const STEADY = ["--disable-partial-raster", "--num-raster-threads=1", "--disable-lcd-text"];
/** Around a panel that is cut out of its page, in CSS pixels. */
const MARGIN = 20;

const QUESTIONS = ["How long does delivery to Germany take?", "Which plants are safe for cats?"];
const ARABIC_ANSWER = `نعم، نوصّل إلى **ألمانيا** خلال يومين إلى ثلاثة أيام عمل:

- الشحن العادي: ‎€6.95
- مجانًا للطلبات فوق ‎€60`;

const model = await Model.start();
const server = await Server.start(settings(model));
const site = await Site.start();
const browser = await launch(STEADY);
try {
  await mkdir(IMAGES, { recursive: true });
  await picture("closed", { viewport: DESKTOP }, async (visitor) => {
    await visitor.part("launcher");
  });
  await picture("desktop", { viewport: DESKTOP }, converse);
  await picture("dark", { viewport: DESKTOP, colorScheme: "dark", cut: true }, converse);
  await picture("phone", { ...PHONE, deviceScaleFactor: 2 }, converse);
  const address = site.embedding(server, "arabic", { dir: "rtl", css: "main { visibility: hidden }" });
  await picture("rtl", { viewport: DESKTOP, locale: "ar", cut: true, address }, async (visitor) => {
    model.will({ say: ARABIC_ANSWER });
    const panel = await visitor.open();
    await panel.say("هل توصلون إلى ألمانيا؟");
    await panel.answer("ألمانيا");
  });
} finally {
  await browser.close();
  await Promise.all([site.stop(), server.stop()]);
  await model.stop();
}

/** Asks the demo's assistant what the pictures show. */
async function converse(visitor) {
  const panel = await visitor.open();
  for (const [index, question] of QUESTIONS.entries()) {
    await panel.say(question);
    await panel.answered(index + 1);
  }
}

/**
 * Takes one picture. `cut`: only the open panel and its launcher. `address`: another page than the demo shop.
 */
async function picture(name, { cut, address, ...options }, act) {
  const still = { locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce" };
  const context = await browser.newContext({ ...still, ...options });
  await context.addInitScript(spy, KEY);
  await context.clock.setFixedTime(NOW);
  await context.route("**/visitor/v1/**", stopTime);
  const visitor = new Visitor(await context.newPage(), server);
  await visitor.page.goto(address ?? `${server.origin}/demo/`);
  await act(visitor);
  await settle(visitor);
  const box = async (part) => (await visitor.part(part)).boundingBox();
  const clip = cut && around([await box("dialog"), await box("launcher")]);
  const file = path.join(IMAGES, `${name}.png`);
  await visitor.page.screenshot({ path: file, clip, caret: "hide", animations: "disabled" });
  await context.close();
  console.log(file);
}

/** The server's clock goes on; what it says of the time is put right on the way. */
async function stopTime(route) {
  const response = await route.fetch();
  const body = (await response.text()).replace(/("createdAt":)\d+/g, `$1${NOW.getTime()}`);
  await route.fulfill({ response, body });
}

/** Waits until every picture is there and nothing moves, in the page and in the frame. */
async function settle({ page }) {
  for (const frame of page.frames()) {
    await frame.evaluate(async () => {
      await document.fonts.ready;
      const shown = [...document.images].filter(({ complete, loading }) => complete || loading !== "lazy");
      await Promise.all(shown.map((image) => image.decode().catch(() => {})));
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    });
  }
}

/** The smallest rectangle around these, and a margin. */
function around(boxes) {
  const edge = (pick, ends) => pick(...boxes.map(ends));
  const left = edge(Math.min, ({ x }) => x) - MARGIN;
  const top = edge(Math.min, ({ y }) => y) - MARGIN;
  const right = edge(Math.max, ({ x, width }) => x + width) + MARGIN;
  const bottom = edge(Math.max, ({ y, height }) => y + height) + MARGIN;
  return { x: left, y: top, width: right - left, height: bottom - top };
}
