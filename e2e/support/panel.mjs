// The panel as a visitor meets it: found by role and name where that is what a visitor goes by, by the
// documented classes elsewhere. In a frame and in page mode it is the same panel in another scope.

import assert from "node:assert/strict";

export class Panel {
  /** `scope` is a frame, a page or a locator: whatever the panel is in. */
  constructor(scope) {
    this.scope = scope;
    this.input = scope.getByRole("textbox");
    this.log = scope.getByRole("log");
    this.status = scope.locator(".status");
    this.announcer = scope.getByRole("status");
    this.notice = scope.locator(".notice p");
  }

  button(name) {
    return this.scope.getByRole("button", { name, exact: true });
  }

  /** The app runs, not only the skeleton that comes before it. */
  async running() {
    await this.log.waitFor();
    return this;
  }

  /** Waits until what is typed arrives in the composer. */
  takesKeys() {
    return this.scope.waitForFunction(
      () => document.hasFocus() && document.activeElement.localName === "textarea",
    );
  }

  async say(text) {
    await this.input.fill(text);
    await this.input.press("Enter");
  }

  /** Messages of `role`, those with `text` in them if it is given. */
  by(role, text) {
    const all = this.scope.locator(`article.message[data-role=${role}]`);
    return text === undefined ? all : all.filter({ hasText: text });
  }

  /** Waits for an answer with this text and status. */
  async answer(text, status = "complete") {
    const answer = this.by("assistant", text).and(this.scope.locator(`[data-status=${status}]`));
    await answer.waitFor();
    return answer;
  }

  /** Waits until the answer with this number is complete; the greeting is number 0. */
  async answered(number) {
    const answer = this.by("assistant").nth(number);
    await answer.and(this.scope.locator("[data-status=complete]")).waitFor();
    return answer;
  }

  /** Waits until the header says so. */
  async says(status) {
    await this.status.filter({ hasText: status }).waitFor();
  }

  /** Waits until the panel says that the conversation is over, and why. */
  async over(why) {
    await this.notice.filter({ hasText: why }).waitFor();
    await this.says("Chat ended");
    assert.equal(await this.input.isVisible(), false);
  }

  /** Everything in the transcript as `[role, text]`. */
  transcript() {
    return this.scope.locator("article.message").evaluateAll((messages) =>
      messages.map((message) => [message.dataset.role, message.querySelector(".text").innerText.trim()]),
    );
  }

  /**
   * From now on notes every state of the last message's text, of the header's status and of what is announced
   * to screen readers. Resolves to a function that resolves to what was noted.
   */
  async record() {
    const recording = await this.log.evaluateHandle((log) => {
      const root = log.getRootNode();
      const noted = { texts: [], statuses: [], announced: [] };
      const note = (list, text) => {
        if (text && list.at(-1) !== text) list.push(text);
      };
      const status = root.querySelector(".status");
      const announcer = root.querySelector("[role=status]");
      const look = (changes) => {
        note(noted.texts, [...log.querySelectorAll("article .text")].at(-1)?.textContent);
        note(noted.statuses, status.textContent.trim());
        // Each change is read out, also one to the same words.
        const said = changes.some(({ target }) => announcer.contains(target));
        if (said && announcer.textContent) noted.announced.push(announcer.textContent.trim());
      };
      const options = { subtree: true, childList: true, characterData: true };
      const observer = new MutationObserver(look);
      for (const node of [log, status, announcer]) observer.observe(node, options);
      return noted;
    });
    return () => recording.jsonValue();
  }
}
