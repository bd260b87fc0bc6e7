// Banter's loader: what the one script tag of a host page fetches (`/embed/{widget}.js`).
//
// It draws the launcher, opens the panel (a frame of our own origin) and carries messages between
// the host page and that frame. It is a guest in somebody else's page, so it
//   - adds one global (`Banter`) and one element (`<banter-widget>`), and nothing else,
//   - writes no inline style, `<style>`, script or markup and runs nothing from a string, so that it works
//     under the tightest policy: `script-src OUR; frame-src OUR; style-src 'self'; connect-src 'none'`,
//   - talks to the origin it came from and to no other, and stores nothing but that its launcher is a dot.
//
// The server puts `shared::widget::LoaderConfig` in the place of the first value below. Loader and frame
// say to each other what `shared::host` lists and nothing else. Together with the configuration this
// file stays under 4 KB of brotli; that is why the state of an element is a closure (`control`), whose
// names a minifier can shorten, and not a class, and why class names are one letter.
(() => {
  const config = __BANTER_CONFIG__;
  const tag = document.currentScript;
  const entry = { config, origin: new URL(tag.src).origin, manual: "manual" in tag.dataset };

  const early = window.Banter;
  // Another tag of ours was here first: it takes this widget in, whatever version either of us is.
  if (early?.register) return early.register(entry);

  const PREFIX = "banter:";
  const COMMANDS = ["open", "close", "toggle", "send", "end"];
  // Where the panel takes the whole window: phones, upright or not, and a page zoomed to 400 %.
  const narrow = matchMedia("(max-width:480px),(max-height:420px)");

  const entries = new Map(); // widget id → what its loader script brought, or 0 while that is sent for
  const autos = new Map(); // widget id → the element its tag made
  const controls = new WeakMap(); // element → what is behind it
  const live = new Set(); // the controls of the elements in the document, in order of arrival
  const waiting = []; // calls that came before there was an element, or its settings, to take them
  const listeners = []; // what Banter.on() added

  const isText = (value) => typeof value === "string";
  const focus = (element) => element.focus({ preventScroll: true });

  const set = (element, attributes) => {
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    return element;
  };
  const make = (parent, name, attributes) => {
    const element = set(document.createElement(name), attributes);
    parent.append(element);
    return element;
  };

  const sheet = (text) => {
    const made = new CSSStyleSheet();
    made.replaceSync(text);
    return made;
  };

  // The element itself stands in the page and is hit by the page's rules (`* { … !important }`).
  // Important rules of a shadow tree beat the page's, and a box that does not exist can be
  // neither moved nor scaled nor faded. What is inherited ends at `.w { all: initial }`.
  const FLOATING = sheet(":host{display:contents!important}");

  // Lengths are in px because rem is the page's. Classes: w wrapper, l corner of the launcher, b launcher, n its
  // badge, m what makes it a dot (dot: it is one; 24 px, and 44 px to hit), v for screen readers only, p panel,
  // s what is shown until the frame is here, r retry. The icon is drawn with borders, which forced colours keep.
  // A window has the same inset left and right. --t and --v are top and height of what is visible of the window, so that an on-screen
  // keyboard never covers the composer. The panel fades in from 30 %: it is there in the first frame.
  // Transparent outlines are for forced colours, which make them visible.
  const BASE = sheet(`:host([hidden]){display:none!important}
@media print{:host{display:none!important}}
*{box-sizing:border-box}
.w{all:initial;position:fixed;z-index:2147483000;color-scheme:light dark;font:15px/1.5 system-ui;--o:calc(var(--offset)*1px);--x:max(var(--o),env(safe-area-inset-left));--y:calc(var(--o) + env(safe-area-inset-bottom))}
.l,.p{position:fixed;inset-inline-end:var(--x);bottom:var(--y)}
.b,.p{outline:2px solid #0000}
.b,img{width:56px;height:56px;border-radius:50%}
.b,.m,.r{padding:0;border:0;background:var(--accent);color:var(--onAccent);font:inherit;cursor:pointer}
.b{position:relative;display:grid;place-items:center;box-shadow:0 6px 24px #0005}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;box-shadow:0 0 0 3px #fff}
.b>*,.b:before,.b:after{grid-area:1/1}
img{object-fit:cover;background:var(--accent)}
.b:before{content:"";border:solid;border-width:11px 13px;border-radius:5px}
.b:after{content:"";border:6px solid #0000;border-top-color:currentColor;margin:32px 12px 0 0}
.open .b:before{border-width:0 3px 3px 0;border-radius:0;padding:6px;transform:rotate(45deg);margin:-8px 0 0}
.n{position:absolute;top:-4px;inset-inline-end:-4px;min-width:20px;padding:0 6px;border-radius:10px;background:#c2002f;color:#fff;font:700 12px/20px system-ui}
.v{position:absolute;width:1px;overflow:hidden;clip-path:inset(50%)}
.p{bottom:calc(100% - var(--t,0px) - var(--v,100%) + var(--y) + 68px);width:calc(var(--width)*1px);max-width:calc(100% - 2*var(--x));height:calc(var(--height)*1px);max-height:calc(var(--v,100%) - 68px - 2*var(--y));overflow:hidden;border-radius:16px;background:Canvas;box-shadow:0 6px 24px #0005;visibility:hidden;opacity:.3;translate:0 8px}
[class*=left] :is(.l,.p){inset-inline:var(--x) auto}
[class*=top] :is(.l,.p){bottom:auto;top:var(--y)}
[class*=top] .p{top:calc(var(--t,0px) + var(--y) + 68px)}
.open .p{visibility:visible;opacity:1;translate:0}
iframe{display:block;width:100%;height:100%;border:0;visibility:hidden}
.here.open iframe{visibility:visible}
.s:before{content:"";position:absolute;inset:0 0 auto;height:64px;background:var(--accent)}
.s{position:absolute;inset:0;display:grid;place-content:center;justify-items:center;gap:12px;padding:24px;text-align:center}
.n:empty,.open :is(img,.m),.open .b:after,.dot :is(img,.m),.dot .b:before,.inline .l,.fullscreen .l,.full.open .l,.here .s,.r{display:none}
.m,.dot .b{width:24px;height:24px}
.m:before{content:"–"}
.m{position:absolute;top:-8px;inset-inline-start:-8px;border-radius:50%;opacity:0}
.l:hover .m,.l:focus-within .m{opacity:1}
@media(hover:none){.m{opacity:1}}
.dot .b:after{position:absolute;inset:-10px;border:0;margin:0}
.failed .r{display:block;padding:11px 20px;border-radius:22px}
.full .p{inset:var(--t,0px) 0 auto;min-width:100%;min-height:var(--v,100%);border-radius:0;padding:env(safe-area-inset-top) env(safe-area-inset-left) env(safe-area-inset-bottom)}
.inline{position:relative;display:block;height:100%;z-index:auto}
.inline .p{position:absolute;inset:0;min-width:100%;min-height:100%;box-shadow:none}
@media(prefers-reduced-motion:no-preference){.open .p{transition:opacity .12s,translate .16s}}`);

  // Everything behind one <banter-widget>.
  const control = (host) => {
    let settings; // its LoaderConfig, once that is here
    let origin;
    let scope; // aborts whatever is listened to outside of the element (a controller will do as options,
    // of which only `signal` is read); unset while the element is not in use
    let page; // page mode: a promise of the handle of the app that draws itself into the element
    let root, wrapper, launcher, badge, news, panel, status, frame;
    let layout;
    let inline;
    let full; // the panel takes the whole window
    let state = ""; // of the frame: "", loading, here (it greeted us) or failed
    let greeted; // it greeted us since it began to load
    let ready; // the app in it runs
    let timer; // runs out when it should have greeted us
    let isOpen = false; // somebody opened it; an inline panel is on screen without that
    let before; // what had the focus until then
    let unread = 0;
    let dot; // the launcher is one, because the visitor wants it small
    const outbox = []; // messages for a frame that is not ready

    const attribute = (name) => host.getAttribute(name);
    const id = () => attribute("widget");

    const tell = (name, detail) =>
      host.dispatchEvent(new CustomEvent(PREFIX + name, { bubbles: true, composed: true, detail }));

    const post = (message) => frame.contentWindow.postMessage(PREFIX + JSON.stringify(message), origin);

    const flush = () => {
      if (ready) outbox.splice(0).forEach(post);
    };

    // Brings everything in line with the variables above.
    const paint = () => {
      const { strings, position } = settings;
      const shown = isOpen || inline;
      full = layout === "fullscreen" || (!inline && narrow.matches);
      const corner = attribute("position") || position;
      const text = !isOpen && unread ? strings.unread.replace("{n}", unread) : "";
      set(wrapper, {
        // With a "false" here and there, which is no class of ours.
        class: `w ${layout} ${corner} ${state} ${shown && "open"} ${full && "full"} ${!isOpen && dot && "dot"}`,
      });
      panel.inert = !shown;
      set(panel, { "aria-modal": full });
      set(launcher, {
        "aria-expanded": isOpen,
        "aria-label":
          (isOpen ? strings.close : dot ? strings.restore : strings.open) + (text && ", " + text),
      });
      badge.textContent = text && unread;
      news.textContent = text;
      status.textContent = state === "failed" ? strings.failed : strings.loading;
    };

    // A frame that has not greeted us in this many ms has failed.
    const expect = (patience) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        state = "failed";
        paint();
        tell("error", "load_failed");
      }, patience);
    };

    // The frame begins to load, for the first time or (moved, retried) again. A lazy one begins
    // when it comes near the window, so only its load event starts the clock.
    const watch = () => {
      state = "loading";
      greeted = ready = false;
      if (!inline) expect(15000);
      paint();
    };

    // Makes the frame, unless there is one that is not known to have failed.
    const load = () => {
      if (frame && state !== "failed") return;
      frame?.remove();
      frame = make(panel, "iframe", {
        part: "panel",
        title: settings.strings.panel,
        allow: "clipboard-write",
        loading: inline ? "lazy" : "eager",
        src: `${origin}/frame/${settings.id}?host=${location.origin}&layout=${layout}`,
      });
      // Its greeting comes before this event; a page of the browser's own ("no connection") sends none.
      frame.onload = () => {
        if (!greeted) expect(2500);
        greeted = false;
      };
      watch();
    };

    const style = (variables) => {
      for (const name in variables) wrapper.style.setProperty("--" + name, variables[name]);
    };

    // Pinch zoom changes the visual viewport too, and then the panel is to stay where it is.
    const fit = () => {
      const { scale, offsetTop, height } = visualViewport;
      if (scale < 1.1) style({ t: offsetTop + "px", v: height + "px" });
    };

    const enter = () => {
      if (state === "here") {
        focus(frame);
        post("open");
      } else focus(panel);
    };

    const show = (open) => {
      const isInside = () => panel.contains(root.activeElement);
      const wasInside = isInside();
      const changed = open !== isOpen;
      isOpen = open;
      if (open) {
        if (changed) before = document.activeElement;
        unread = 0;
        load();
        fit();
        paint();
        enter();
      } else {
        paint();
        // Back to what had it, e.g. the page's own "chat with us" button, or to the launcher.
        if (wasInside) focus(before);
        if (isInside()) focus(launcher);
        if (ready) post("close");
      }
      if (changed) tell(open ? "open" : "close");
    };

    const hear = (event) => {
      if (event.origin !== origin || event.source !== frame?.contentWindow) return;
      let name, value;
      try {
        // What is not ours (extensions talk in every frame) cannot be read.
        const said = JSON.parse(event.data.split(PREFIX)[1]);
        [name, value] = isText(said) ? [said] : Object.entries(said)[0];
      } catch {}
      if (name === "hello") {
        clearTimeout(timer);
        greeted = true;
        ready = false;
        state = "here";
        paint();
        // Only while the focus waits here: whoever went on elsewhere is left alone.
        if (isOpen && root.activeElement) enter();
      } else if (name === "ready") {
        ready = true;
        if (isOpen) post("open");
        flush();
        tell(name);
      } else if (name === "close") {
        show(false);
      } else if (name === "unread" && value >>> 0 === value) {
        unread = value;
        paint();
        tell(name, value);
      } else if (name === "message" && value) {
        tell(name, { id: `${value.id}`, role: `${value.role}` });
      } else if (/^(session_(start|end)|error)$/.test(name) && isText(value)) {
        tell(name.replace("_", "-"), value);
      }
    };

    // Makes the launcher a dot, or itself again, for as long as the visitor's tab lives.
    const shrink = (to) => {
      dot = to;
      try {
        sessionStorage[PREFIX + settings.id] = to;
      } catch {}
      paint();
      focus(launcher);
    };

    const draw = () => {
      const { height, strings } = settings;
      root ||= host.shadowRoot || host.attachShadow({ mode: "closed" });
      try {
        dot = sessionStorage[PREFIX + settings.id];
      } catch {}
      root.adoptedStyleSheets = [
        inline ? sheet(`:host{display:block;width:100%;height:${+height}px}`) : FLOATING,
        BASE,
      ];
      wrapper = make(root, "div");
      style(settings);
      wrapper.onkeydown = (event) => {
        if (event.key !== "Escape" || !isOpen) return;
        event.stopPropagation();
        show(false);
      };

      const corner = make(wrapper, "div", { class: "l" });
      launcher = make(corner, "button", {
        class: "b",
        part: "launcher",
      });
      launcher.onclick = () => (dot && !isOpen ? shrink("") : show(!isOpen));
      launcher.onpointerenter = launcher.onfocus = load; // a finger "enters" before it presses
      if (settings.icon) {
        const own = make(launcher, "img", { src: settings.icon, alt: "" });
        own.onerror = () => own.remove();
      }
      badge = make(launcher, "span", { class: "n" });
      const less = make(corner, "button", { class: "m", "aria-label": strings.minimise });
      less.onclick = () => shrink(1);
      news = make(wrapper, "div", { class: "v", role: "status" });

      panel = make(wrapper, "div", {
        class: "p",
        part: "dialog",
        role: inline ? "region" : "dialog",
        "aria-label": strings.panel,
        tabindex: -1,
      });
      const cover = make(panel, "div", { class: "s" });
      status = make(cover, "div", { role: "status" });
      const retry = make(cover, "button", { class: "r" });
      retry.textContent = strings.retry;
      retry.onclick = () => {
        focus(panel);
        load();
      };
    };

    const startFrame = () => {
      if (!wrapper) draw();
      addEventListener("message", hear, scope);
      // Nothing behind a panel that covers the window may have the focus (WCAG 2.2, 2.4.11).
      addEventListener("focusin", ({ target }) => full && isOpen && target !== host && enter(), scope);
      addEventListener("online", () => isOpen && load(), scope);
      narrow.addEventListener("change", paint, scope);
      visualViewport.addEventListener("resize", fit, scope);
      visualViewport.addEventListener("scroll", fit, scope);
      paint();
      if (frame) watch();
      else if (inline) load();
      else if (layout === "fullscreen") show(true);
      else if (!navigator.connection?.saveData) {
        const preload = () => setTimeout(() => scope && load(), 500);
        if (document.readyState === "complete") preload();
        else addEventListener("load", preload, scope);
      }
    };

    // The app draws itself in the page. Where it can't (a policy without `wasm-unsafe-eval`), the
    // frame takes over: no visitor finds an empty corner.
    const startInPage = () => {
      page = import(`${origin}/assets/${settings.module}`)
        .then(({ mount }) => mount(host, { widget: settings.id, base: origin }))
        .catch(() => {
          page = 0;
          if (scope) startFrame();
        });
    };

    const call = (name, text) => {
      if (!scope) return waiting.push([name, text, { widget: id() }]);
      const message = name === "send" ? { send: "" + text } : name;
      if (page) page.then((handle) => (handle ? handle.command(JSON.stringify(message)) : call(name, text)));
      else if (name === "open") show(true);
      else if (name === "close") show(false);
      else if (name === "toggle") show(!isOpen);
      else {
        outbox.push(message);
        load();
        flush();
      }
    };

    const start = () => {
      const known = entries.get(id());
      if (scope) return;
      if (!known) return id() && fetchLoader(id());
      const auto = autos.get(id());
      // The page has its own element for this widget; it only came later than the tag's.
      if (auto && auto !== host) auto.remove();
      settings = known.config;
      origin = known.origin;
      layout = attribute("layout") || settings.layout;
      inline = layout === "inline";
      scope = new AbortController();
      if (attribute("isolation") === "page") startInPage();
      else startFrame();
      for (const one of waiting.splice(0)) Banter(...one);
    };

    const stop = () => {
      scope?.abort();
      clearTimeout(timer);
      page?.then((handle) => handle?.destroy());
      scope = page = 0;
    };

    for (const name of COMMANDS) host[name] = (text) => call(name, text);

    const own = {
      id,
      host,
      call,
      start,
      enter() {
        live.add(own);
        // A frame loads anew where it is put; the app in it then takes up the conversation again.
        if (scope && frame) watch();
        start();
      },
      // Being moved is not being removed: whoever is back a moment later goes on.
      leave() {
        live.delete(own);
        setTimeout(() => {
          if (live.has(own)) return;
          stop();
          // Still in its parent, which itself is gone: a navigation without page load replaced the body.
          if (host.parentNode && autos.get(id()) === host) place(id());
        });
      },
      // Another widget or layout: from the start.
      change() {
        if (!live.has(own)) return;
        stop();
        wrapper?.remove();
        wrapper = frame = 0;
        isOpen = false;
        start();
      },
    };
    return own;
  };

  class BanterWidget extends HTMLElement {
    static observedAttributes = ["widget", "layout", "position"];
    constructor() {
      super();
      controls.set(this, control(this));
    }
    connectedCallback() {
      controls.get(this).enter();
    }
    disconnectedCallback() {
      controls.get(this).leave();
    }
    // Moved by moveBefore(): nothing is lost and nothing is to be done.
    connectedMoveCallback() {}
    attributeChangedCallback() {
      controls.get(this).change();
    }
  }

  // An element for a widget whose tag is not on the page: the loader sends for that tag itself.
  const fetchLoader = (id) => {
    if (entries.has(id)) return;
    entries.set(id, 0);
    let src = `${entry.origin}/embed/${id}.js`;
    try {
      // A page that requires Trusted Types takes no plain string as a script's address.
      src = trustedTypes.createPolicy("banter", { createScriptURL: () => src }).createScriptURL("");
    } catch {}
    make(document.head, "script", { src }).onerror = () => entries.delete(id);
  };

  // The first of those with this id, or of all.
  const choose = (id) => [...live].find((own) => !id || own.id() === id);

  // The tag's own element, unless the page has one for this widget.
  const place = (id) => {
    if (choose(id)) return;
    const { body } = document;
    if (!body) return addEventListener("DOMContentLoaded", () => place(id));
    autos.set(id, make(body, "banter-widget", { widget: id }));
  };

  const Banter = (method, ...values) => Banter[method]?.(...values);

  // For other tags of ours.
  Banter.register = (entry) => {
    const { id } = entry.config;
    entries.set(id, entry);
    for (const own of live) own.start();
    if (!entry.manual) place(id);
  };
  Banter.on = (event, listener) => {
    const scope = new AbortController();
    listeners.push([event, listener, scope]);
    document.addEventListener(PREFIX + event, ({ detail, target }) => listener(detail, target), scope);
  };
  Banter.off = (event, listener) => {
    for (const [one, other, scope] of listeners) {
      if (!event || (one === event && other === listener)) scope.abort();
    }
  };
  // Takes every element, listener and configuration off the page. A tag that comes later starts afresh.
  Banter.destroy = () => {
    for (const own of live) own.host.remove();
    Banter.off();
    entries.clear();
    autos.clear();
    waiting.length = 0;
  };
  for (const name of COMMANDS) {
    Banter[name] = (...values) => {
      const own = choose(values.at(-1)?.widget);
      if (own) own.call(name, values[0]);
      else waiting.push([name, ...values]);
    };
  }

  window.Banter = Banter;
  customElements.define("banter-widget", BanterWidget);
  Banter.register(entry);
  for (const one of early?.q || []) Banter(...one);
})();
