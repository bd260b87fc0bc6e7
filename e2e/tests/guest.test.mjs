// The host page is a guest's house: what the widget leaves alone there, and what it stands there.
import assert from "node:assert/strict";
import { journeys } from "../support/journey.mjs";
import { strictPolicy } from "../support/site.mjs";

const journey = journeys();

journey("Before the first click nothing is stored, nobody else is asked and the page is as it was",
  async ({ server, site, visit }) => {
  const plain = await visit(site.page());
  const visitor = await visit(site.embedding(server, "test"));
  await visitor.hears("ready");

  assert.deepEqual(await visitor.page.context().cookies(), []);
  assert.equal(visitor.page.frames().length, 2);
  for (const frame of visitor.page.frames()) {
    assert.deepEqual(await frame.evaluate(stored), [], frame.url());
  }
  const origins = new Set(visitor.requests.map((url) => new URL(url).origin));
  assert.deepEqual([...origins].sort(), [site.origin, server.origin].sort());
  const posts = visitor.requests.filter((url) => url.includes("/visitor/"));
  assert.deepEqual(posts, [], "no session before there is something to say");

  const added = await names(visitor);
  for (const name of await names(plain)) added.delete(name);
  assert.deepEqual([...added], ["Banter"]);
  assert.deepEqual(await visitor.page.evaluate(styles), await plain.page.evaluate(styles));
  assert.deepEqual(await visitor.page.evaluate(marks), {
    children: ["banter-widget"],
    sheets: 1,
    adopted: 0,
    styled: 0,
  });
});

journey("A page with the tightest policy has the same launcher, a working chat and no violation",
  async ({ server, model, site, visit }) => {
  const lenient = await visit(site.embedding(server, "test"));
  const policy = strictPolicy(server);
  const strict = await visit(site.embedding(server, "test", { policy }));
  assert.deepEqual(await differences("launcher", strict, lenient), []);

  model.will({ say: "Even here." });
  const panel = await strict.open();
  await panel.say("Does it work?");
  await panel.answer("Even here.");
  assert.deepEqual(await strict.spy((spy) => spy.violations), []);
});

journey("A page whose stylesheet hits everything changes neither launcher nor panel",
  async ({ server, site, visit }) => {
  const blow = `font:italic 31px/3 serif;color:#f0f;background:lime;border:7px solid red;margin:9px;padding:9px;
    width:33px;height:33px;transform:rotate(9deg) scale(1.4);filter:blur(3px);opacity:.3;letter-spacing:4px;
    text-transform:uppercase;display:inline;position:static;box-shadow:none;border-radius:0;visibility:hidden;
    direction:ltr;float:left;z-index:-1;clip-path:circle(3px);animation:none;content-visibility:hidden`;
  const important = blow.replaceAll(/;|$/g, " !important;");
  const css = `html{font-size:29px} body{letter-spacing:5px;text-transform:uppercase;line-height:4;text-align:right}
    banter-widget,body *{${important}} banter-widget{display:none !important}`;
  const plain = await visit(site.embedding(server, "test"));
  const hostile = await visit(site.embedding(server, "test", { css }));
  assert.deepEqual(await differences("launcher", hostile, plain), []);

  const [plainPanel, hostilePanel] = [await plain.open(), await hostile.open()];
  for (const part of ["dialog", "panel"]) {
    assert.deepEqual(await differences(part, hostile, plain), [], part);
  }
  const inside = (panel) => panel.input.evaluate(look);
  assert.deepEqual(await inside(hostilePanel), await inside(plainPanel));
});

journey("A page that the widget is not for gets no panel and no conversation",
  async ({ server, site, visit }) => {
  const visitor = await visit(site.embedding(server, "elsewhere"));
  visitor.expected = /frame-ancestors/;
  await (await visitor.part("launcher")).click();
  await visitor.hears("error");
  const dialog = await visitor.part("dialog");
  assert.match(await dialog.innerText(), /Something went wrong\./);
  assert.equal(await (await dialog.$("button")).innerText(), "Try again");
  assert.equal(await visitor.isShown("panel"), false);
  assert.deepEqual(visitor.requests.filter((url) => url.includes("/visitor/")), []);
  assert.deepEqual(await visitor.page.context().cookies(), []);
  assert.deepEqual(await visitor.page.evaluate(stored), []);

  // Nor does it help to ask by hand, as this page or in the name of a page it is for.
  for (const hostOrigin of [undefined, site.origin]) {
    const options = { method: "POST", origin: site.origin, body: JSON.stringify({ hostOrigin }) };
    const response = await server.ask("widgets/elsewhere/sessions", options);
    assert.equal(response.status, 403);
    assert.equal((await response.json()).code, "origin_not_allowed");
  }
  const frame = await fetch(`${server.origin}/frame/elsewhere?host=${site.origin}`);
  assert.equal(frame.status, 403);
});

/** What is kept in the browser for this document. */
async function stored() {
  const databases = await indexedDB.databases();
  const kept = [Object.keys(localStorage), Object.keys(sessionStorage), await caches.keys()];
  return [...kept.flat(), ...databases.map(({ name }) => name), document.cookie].filter(Boolean);
}

async function names(visitor) {
  return new Set(await visitor.page.evaluate(() => Object.getOwnPropertyNames(window)));
}

/** Every computed style of every element that is the page's own. */
function styles() {
  const own = document.querySelectorAll("html, body, main, main *");
  return [...own].map((element) => {
    const style = getComputedStyle(element);
    return [...style].map((name) => `${element.localName} ${name}: ${style.getPropertyValue(name)}`);
  });
}

/** What was put into the document. */
function marks() {
  const { body, adoptedStyleSheets } = document;
  return {
    children: [...body.children].map(({ localName }) => localName).filter((name) => name !== "main"),
    sheets: document.querySelectorAll("style, link[rel=stylesheet]").length,
    adopted: adoptedStyleSheets.length,
    styled: document.querySelectorAll("[style]").length,
  };
}

/** What looks different of a part of the loader in two pages, as `[property, here, there]`. */
async function differences(name, ...visitors) {
  const looks = visitors.map(async (visitor) => (await visitor.part(name)).evaluate(look));
  const [here, there] = await Promise.all(looks);
  const properties = new Set([...Object.keys(here), ...Object.keys(there)]);
  return [...properties].map((name) => [name, here[name], there[name]]).filter(([, a, b]) => a !== b);
}

/** How an element looks once it has come to rest: where it is, and every computed style. */
async function look(element) {
  await Promise.all(element.getRootNode().getAnimations().map(({ finished }) => finished));
  const { x, y, width, height } = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const styles = [...style].map((property) => [property, style.getPropertyValue(property)]);
  return { ...Object.fromEntries(styles), left_edge: x, top_edge: y, drawn_width: width, drawn_height: height };
}
