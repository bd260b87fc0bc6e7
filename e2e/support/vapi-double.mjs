// The double of Vapi as a program of its own, on a port that was free.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";

const ROOT = path.resolve(import.meta.dirname, "../..");
const PROGRAM = process.env.VAPI_DOUBLE ?? path.join(ROOT, "target/debug/vapi-double");

export class VapiDouble {
  /** `flags` as on its command line. */
  static async start(...flags) {
    const double = new VapiDouble();
    const all = ["--listen", "127.0.0.1:0", "--word-delay", "5", ...flags];
    double.#child = spawn(PROGRAM, all, { stdio: ["ignore", "pipe", "inherit"] });
    const end = () => double.#child.kill("SIGKILL");
    process.once("exit", end);
    double.#child.once("exit", () => process.off("exit", end));
    for await (const line of createInterface(double.#child.stdout)) {
      const [, url, assistant] = /^Vapi double: (http\S+) \(assistant (\S+)\)/.exec(line) ?? [];
      if (!url) continue;
      Object.assign(double, { url, assistant });
      double.#child.stdout.resume();
      return double;
    }
    throw new Error(`${PROGRAM} did not start`);
  }

  /** Its address, and the assistant that is always there. */
  url;
  assistant;
  /** The private key it takes. */
  key = "sk-vapi-double";
  #child;

  /** How chats are answered from now on; see vapi-double/src/script.rs. */
  async will(act, more = {}) {
    await this.willOn("chat", act, more);
  }

  /** How a route is answered from now on: `chat`, `open`, `look_up` or `close`. */
  async willOn(route, act, more = {}) {
    await this.#order(`script?route=${route}`, { act, ...more });
  }

  /** Lets `count` held pieces go. */
  async release(count) {
    await this.#order("release", { count });
  }

  /** What it remembers and sent. */
  async state() {
    return (await fetch(`${this.url}/double/state`)).json();
  }

  async stop() {
    this.#child.kill("SIGTERM");
    await once(this.#child, "exit");
  }

  async #order(name, body) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${this.url}/double/${name}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
  }
}
