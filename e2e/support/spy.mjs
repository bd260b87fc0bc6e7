// What a test may know of a page beyond what a visitor sees. Goes into every document before its first
// script, and keeps everything under one symbol, so that it adds no name to the window.

export const KEY = "banter.e2e";

/** Runs in the browser. */
export function spy(key) {
  const roots = new Map();
  const attachShadow = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options);
    roots.set(this, root);
    return root;
  };
  // Events of the widget, as a script of the host page would hear them.
  const heard = [];
  const names = ["ready", "open", "close", "message", "session-start", "session-end", "unread", "error"];
  for (const name of names) {
    document.addEventListener(`banter:${name}`, (event) =>
      heard.push({ name, detail: event.detail ?? null, widget: event.target.getAttribute("widget") }),
    );
  }
  const violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`),
  );

  const isOf = (host, widget) => !widget || host.getAttribute("widget") === widget;
  const hosts = (widget) => [...roots.keys()].filter((host) => host.isConnected && isOf(host, widget));
  Object.defineProperty(window, Symbol.for(key), {
    value: {
      heard,
      violations,
      /** An element with this `part`, in whichever shadow root of this widget, open or closed. */
      part: (name, widget) =>
        hosts(widget).map((host) => roots.get(host).querySelector(`[part=${name}]`)).find(Boolean) ?? null,
      /** What has the focus, also inside a closed shadow root. */
      focused: () => {
        let element = document.activeElement;
        while (roots.get(element)?.activeElement) element = roots.get(element).activeElement;
        return element;
      },
      /** Lets axe, which looks only into open roots, see into ours. */
      expose: () => roots.forEach((root, host) => Object.defineProperty(host, "shadowRoot", { value: root })),
    },
  });
}
