// An input method, as those who write Japanese have it: a text that is still being chosen, and an Enter that
// confirms the choice and is nobody else's business.

export class InputMethod {
  /** For the frame that the text goes into. */
  static async of(frame) {
    const method = new InputMethod();
    method.#session = await frame.page().context().newCDPSession(frame);
    return method;
  }

  #session;

  /** Shows `text` as not chosen yet. */
  compose(text) {
    const place = { selectionStart: text.length, selectionEnd: text.length };
    return this.#session.send("Input.imeSetComposition", { text, ...place });
  }

  /** Puts `text` in the place of what was composed. */
  commit(text) {
    return this.#session.send("Input.insertText", { text });
  }

  /** Enter as it reaches the page: while composing, or, in Safari, just after it and with the key code 229. */
  enter(windowsVirtualKeyCode = 13) {
    const key = { key: "Enter", code: "Enter", windowsVirtualKeyCode };
    return this.#session.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...key });
  }
}
