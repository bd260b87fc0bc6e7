// The customer's website: pages of another origin than the server's, each made to a test's measure.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

const SHOP = path.resolve(import.meta.dirname, "../../assets/demo");
const TYPES = { html: "text/html", css: "text/css", svg: "image/svg+xml", js: "text/javascript" };

/** What stands on a page besides the widget: things to tab to, to read and to restyle. */
export const CONTENT = `<main><h1>Host page</h1><p>Some <a href="#more">words</a> of the customer.</p>
<button type="button">Buy</button> <label>Search <input type="search"></label>
<ul id="more"><li>One</li></ul></main>`;

/** The one tag that a customer pastes. */
export const tag = (server, widget, attributes = "") =>
  `<script async ${attributes} src="${server.origin}/embed/${widget}.js"></script>`;

/** The tightest policy a host page may have, Trusted Types included. */
export const strictPolicy = (server) =>
  `default-src 'none'; script-src ${server.origin}; frame-src ${server.origin}; style-src 'self'; ` +
  "connect-src 'none'; img-src 'self'; require-trusted-types-for 'script'";

export class Site {
  static async start() {
    const site = new Site();
    site.#server.listen(0, "127.0.0.1");
    await once(site.#server, "listening");
    return site;
  }

  #files = new Map();
  #server = http.createServer((request, response) => this.#serve(request, response));

  /** Not `127.0.0.1`, so that to a browser this is another site than the server's. */
  get origin() {
    return `http://localhost:${this.#server.address().port}`;
  }

  /** Publishes a page and says where. `css` becomes a stylesheet of its own, as strict policies want it. */
  page({ head = "", body = "", css = "", dir = "ltr", policy } = {}) {
    const name = `/${this.#files.size}`;
    const html = `<!doctype html><html lang="en" dir="${dir}"><head>
<meta charset="utf-8"><title>Host page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${name}.css">${head}</head><body>${CONTENT}${body}</body></html>`;
    const headers = policy ? { "content-security-policy": policy } : {};
    this.#files.set(name, { type: "html", content: html, headers });
    this.#files.set(`${name}.css`, { type: "css", content: css });
    return this.origin + name;
  }

  /** A page with nothing but the widget's tag added. */
  embedding(server, widget, more = {}) {
    return this.page({ ...more, head: tag(server, widget) + (more.head ?? "") });
  }

  /** The demo shop as a customer would run it: same files, the script from the server's origin. */
  async shop(server) {
    const html = await readFile(path.join(SHOP, "index.html"), "utf8");
    const local = /(<script[^>]*\ssrc=")(\/embed\/demo\.js")/;
    if (!local.test(html)) throw new Error("the demo shop does not embed /embed/demo.js");
    const content = html.replace(local, `$1${server.origin}$2`);
    this.#files.set("/demo/", { type: "html", content });
    return `${this.origin}/demo/`;
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    const file = this.#files.get(pathname) ?? (await shopFile(pathname));
    if (!file) return response.writeHead(404).end();
    const type = `${TYPES[file.type] ?? "application/octet-stream"}; charset=utf-8`;
    response.writeHead(200, { "content-type": type, ...file.headers }).end(file.content);
  }
}

async function shopFile(pathname) {
  const file = path.join(SHOP, path.posix.relative("/demo", pathname));
  if (!file.startsWith(SHOP + path.sep)) return undefined;
  const content = await readFile(file).catch(() => undefined);
  return content && { type: path.extname(file).slice(1), content };
}
