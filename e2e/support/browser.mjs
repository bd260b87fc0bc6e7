// The browser all of this runs in.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

const PROGRAM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const OF_THIS_MACHINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1";

/**
 * A headless Chromium that talks to nobody but this machine. `disable-features` replaces Playwright's own list:
 * that one switches the partitioning of third parties' storage off, and then a frame of another site
 * has no storage at all, which is not what visitors have. `more`: more flags.
 */
export const launch = (more = []) =>
  chromium.launch({
    executablePath: PROGRAM,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-features=DestroyProfileOnBrowserClose,HttpsUpgrades,PaintHolding,Translate",
      OF_THIS_MACHINE,
      ...more,
    ],
  });

/**
 * A browser as people have it: one window, in which a tab that is not in front is hidden and is told so.
 * (Playwright has every tab believe that it is in front.) It has one profile, and can be killed.
 */
export class Desk {
  /** `prepare(context)` is called at every start, before a page is opened. */
  static async open(prepare) {
    const desk = new Desk();
    desk.#prepare = prepare;
    desk.#profile = await mkdtemp(path.join(tmpdir(), "banter-desk-"));
    await desk.start();
    return desk;
  }

  /** Its tabs, as Playwright has them. */
  context;
  #browser;
  #child;
  #prepare;
  #profile;

  /** Starts it, with the profile it had before. */
  async start() {
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", OF_THIS_MACHINE];
    flags.push("--remote-debugging-port=0", `--user-data-dir=${this.#profile}`, "about:blank");
    this.#child = spawn(PROGRAM, flags, { stdio: ["ignore", "ignore", "pipe"] });
    this.#browser = await chromium.connectOverCDP(await this.#address(), { noDefaults: true });
    [this.context] = this.#browser.contexts();
    await this.#prepare(this.context);
  }

  /** `kill -9`: no page hears of it. */
  async kill() {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
    await this.#browser.close().catch(() => {});
  }

  async close() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async #address() {
    let said = "";
    for await (const text of this.#child.stderr) {
      said += text;
      const [, address] = /DevTools listening on (\S+)/.exec(said) ?? [];
      if (address) {
        this.#child.stderr.resume();
        return address;
      }
    }
    throw new Error(`${PROGRAM} did not start:\n${said}`);
  }
}
