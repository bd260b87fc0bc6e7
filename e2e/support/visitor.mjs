// One visitor: a browser tab on a host page, the launcher and the frame in it, and a record of everything
// that went wrong or over the wire.
import assert from "node:assert/strict";
import { Panel } from "./panel.mjs";
import { KEY } from "./spy.mjs";

/** What a browser says of a page that breaks its own policy, and what our code says of itself. */
const COMPLAINT = /Content.Security.Policy|Permissions policy|Trusted|panicked/i;

/** How long a key press may take to move the focus, in milliseconds. */
const MOVE_WITHIN = 2_000;

export class Visitor {
  constructor(page, server) {
    this.page = page;
    this.server = server;
    /** Every address this tab asked for. */
    this.requests = [];
    /** What our code must not cause, and did; or the test, on purpose. */
    this.complaints = [];
    /** What a test causes on purpose. */
    this.expected = /^$/;
    page.on("request", (request) => this.#note(request));
    page.on("pageerror", (error) => this.complaints.push(error.stack ?? String(error)));
    page.on("console", (message) => {
      const isComplaint = message.type() === "error" && COMPLAINT.test(message.text());
      if (isComplaint) this.complaints.push(message.text());
    });
  }

  /** Complaints that no test may cause. */
  get faults() {
    return this.complaints.filter((complaint) => !this.expected.test(complaint));
  }

  /** The part of the loader's shadow root with this name: `launcher`, `dialog` or `panel` (the frame). */
  async part(name, widget = "") {
    const find = ([key, name, widget]) => window[Symbol.for(key)].part(name, widget);
    return (await this.page.waitForFunction(find, [KEY, name, widget])).asElement();
  }

  /** Runs `ask(spy, value)` in the page, where `spy` is what `spy.mjs` keeps. */
  async spy(ask, value) {
    const spy = await this.page.evaluateHandle((key) => window[Symbol.for(key)], KEY);
    return spy.evaluate(ask, value);
  }

  /** What a host page's script heard of the widget, `{ name, detail, widget }` each. */
  heard() {
    return this.spy((spy) => spy.heard);
  }

  /** Waits for an event of this name. */
  async hears(name) {
    const heard = ([key, name]) => window[Symbol.for(key)].heard.find((event) => event.name === name);
    return (await this.page.waitForFunction(heard, [KEY, name])).jsonValue();
  }

  /** Opens the panel by its launcher, as a visitor does. */
  async open(widget) {
    await (await this.part("launcher", widget)).click();
    return this.panel(widget);
  }

  /** The panel, once it is on screen and its app runs. */
  async panel(widget) {
    await (await this.part("panel", widget)).waitForElementState("visible");
    return this.app(widget);
  }

  /** The app in the frame, on screen or not. */
  async app(widget) {
    const panel = new Panel(await this.frame(widget));
    await panel.log.waitFor({ state: "attached" });
    return panel;
  }

  /** The frame of our own origin that the panel is in. */
  async frame(widget) {
    const frame = await (await this.part("panel", widget)).contentFrame();
    await frame.waitForURL(`${this.server.origin}/frame/**`, { waitUntil: "commit" });
    return frame;
  }

  async isShown(name, widget) {
    return (await this.part(name, widget)).isVisible();
  }

  async waitUntilHidden(name, widget) {
    await (await this.part(name, widget)).waitForElementState("hidden");
  }

  /** Waits until the focus is on this part of the loader. */
  async waitForFocus(name) {
    const isFocused = ([key, name]) =>
      window[Symbol.for(key)].focused()?.getAttribute("part") === name;
    await this.page.waitForFunction(isFocused, [KEY, name]);
  }

  /**
   * Where the focus is: the part of the loader, the name of what is focused in `panel`, or the element of
   * the page.
   */
  async place(panel) {
    const outside = await this.spy((spy) => spy.focused().getAttribute("part") ?? spy.focused().localName);
    const name = () => document.activeElement.getAttribute("aria-label");
    return outside === "panel" ? panel.scope.evaluate(name) : outside;
  }

  /** Presses `key` and says where the focus went; from frame to frame it goes in its own time. */
  async move(key, panel) {
    const before = await this.place(panel);
    await this.page.keyboard.press(key);
    for (const end = Date.now() + MOVE_WITHIN; Date.now() < end; ) {
      const now = await this.place(panel);
      if (now && now !== before) return now;
    }
    return before;
  }

  /** What the server has of the conversation this tab took part in last. */
  async history() {
    assert.ok(this.session, "this visitor has no session");
    const { id, token } = this.session;
    const response = await this.server.ask(`sessions/${id}`, { token });
    assert.equal(response.status, 200);
    return response.json();
  }

  /** `[role, text, status]` of every message the server has. */
  async stored() {
    const { messages } = await this.history();
    return messages.map(({ role, text, status }) => [role, text, status]);
  }

  #note(request) {
    this.requests.push(request.url());
    const id = /\/visitor\/v1\/sessions\/([^/]+)/.exec(request.url())?.[1];
    const token = request.headers().authorization?.replace("Bearer ", "");
    if (id && token) this.session = { id, token };
  }
}
