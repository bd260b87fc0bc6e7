// What runs before the app does, in the panel's frame; and the way in for pages that mount the app
// in themselves (`mount`). The build bundles it with wasm-bindgen's glue, which knows the
// address of the WebAssembly beside it, and puts the stylesheet's name for `__BANTER_STYLESHEET__`.
//
// In the frame it tells the loader at once that the panel is here, keeps what a visitor types and
// sends too early, answers Escape, and offers another try when the app cannot be loaded.
import init, { mount as mountInPage, start_frame as startApp } from "banter-widget-glue";

const PREFIX = "banter:";
const LAYOUTS = ["bubble", "inline", "fullscreen"];

// One instance of the app serves every widget of a page; after a failure it is asked for anew.
let app;
const loadApp = () =>
  (app ??= init().catch((error) => {
    app = undefined;
    throw error;
  }));

const fetchText = async (address) => {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${response.status} ${address}`);
  return response.text();
};

/**
 * Mounts a widget in the page itself, inside `host`.
 *
 * @param {HTMLElement} host where; its attributes `layout` and `position` go before the configuration
 * @param {{widget: string, base: string}} options the widget's id, and the origin of its server
 * @returns {Promise<{command(json: string): void, destroy(): void}>} rejected, with `host` as it was, if
 *   anything cannot be loaded
 */
export async function mount(host, { widget, base }) {
  const [text, css] = await Promise.all([
    fetchText(`${base}/visitor/v1/widgets/${encodeURIComponent(widget)}`),
    fetchText(new URL(__BANTER_STYLESHEET__, import.meta.url)),
    loadApp(),
  ]);
  const config = JSON.parse(text);
  for (const name of ["layout", "position"]) {
    config[name] = host.getAttribute(name)?.replace("-", "_") || config[name];
  }
  return mountInPage(host, JSON.stringify(config), base, css);
}

const addElement = (parent, tag, className, text = "") => {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
};

// Makes the skeleton look as the app will: what differs from widget to widget is not in the page.
function dress(config) {
  const root = document.getElementById("app");
  const { accent, onAccent, accentOnLight, accentOnDark } = config.palette ?? {};
  const colours = {
    "--accent": accent,
    "--on-accent": onAccent,
    "--accent-on-light": accentOnLight,
    "--accent-on-dark": accentOnDark,
  };
  for (const name in colours) if (colours[name]) root.style.setProperty(name, colours[name]);
  root.dataset.scheme = config.colorScheme ?? "auto";
  root.dataset.layout = config.layout ?? "bubble";
  if (config.subtitle) addElement(root.querySelector(".names"), "p", "subtitle", config.subtitle);
  if (config.logo) {
    const logo = addElement(root.querySelector(".header"), "img", "logo");
    logo.alt = "";
    logo.src = config.logo;
    logo.parentElement.prepend(logo);
  }
}

function runFrame(config) {
  const host = document.body.dataset.host;
  // A page without an origin ("null") cannot be told anything, nor be believed.
  const isFramed = /^https?:/.test(host) && window.parent !== window;
  const form = document.getElementById("early");
  const input = form.querySelector("textarea");
  const early = new AbortController(); // ends what is only for the time before the app
  const { signal } = early;

  const tell = (message) => {
    if (isFramed) window.parent.postMessage(PREFIX + JSON.stringify(message), host);
  };

  // The app sends it. Whoever goes on typing meanwhile takes it back, so that no half sentence is sent.
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) form.dataset.submitted = "";
  };
  form.addEventListener("submit", submit, { signal });
  input.addEventListener("input", () => delete form.dataset.submitted, { signal });
  document.addEventListener(
    "keydown",
    (event) => {
      // 229: Safari ends a composition before it tells of the Enter that confirmed it.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Escape") tell("close");
      if (event.key === "Enter" && event.target === input && !event.shiftKey) submit(event);
    },
    { signal },
  );
  window.addEventListener(
    "message",
    ({ origin, source, data }) => {
      const isOpen = data === `${PREFIX}"open"`;
      if (isFramed && isOpen && origin === host && source === window.parent) input.focus();
    },
    { signal },
  );

  const start = async () => {
    await loadApp();
    early.abort();
    startApp(JSON.stringify(config), isFramed ? host : "");
  };

  const showFailure = () => {
    // A trap may come again with every event; one note is enough.
    if (document.querySelector(".failed")) return;
    const note = addElement(document.querySelector(".stage") ?? document.body, "div", "notice failed");
    note.role = "alert";
    addElement(note, "p", "", config.strings.failed);
    const button = addElement(note, "button", "restart", config.strings.retry);
    button.type = "button";
    const shown = new AbortController();
    const retry = () => {
      shown.abort();
      // An app that failed after it had begun needs a fresh document; else what was typed stays.
      if (signal.aborted) return location.reload();
      if (note.contains(document.activeElement)) input.focus();
      note.remove();
      run();
    };
    button.addEventListener("click", retry, { signal: shown.signal });
    window.addEventListener("online", retry, { signal: shown.signal });
  };

  const run = () =>
    start().catch((error) => {
      console.error(error);
      tell({ error: "load_failed" });
      showFailure();
    });

  // A panic of the app is a trap: what it was doing stays half done, so nothing can be trusted any more.
  const onTrap = ({ error, reason }) => {
    if (!((error ?? reason) instanceof WebAssembly.RuntimeError)) return;
    tell({ error: "panic" });
    showFailure();
  };
  window.addEventListener("error", onTrap);
  window.addEventListener("unhandledrejection", onTrap);

  // The element on the host page may ask for another layout than the configuration does.
  const layout = new URLSearchParams(location.search).get("layout");
  if (LAYOUTS.includes(layout)) config.layout = layout;

  dress(config);
  tell("hello");
  run();
}

const element = document.getElementById("banter-config");
if (element) runFrame(JSON.parse(element.textContent));
