// The real server, with a configuration and a data folder of its own, on a port that was free.
// It can be killed like a machine that loses power, and started again at the same address.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { toToml } from "./toml.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const PROGRAM = process.env.BANTER_SERVER ?? path.join(ROOT, "target/debug/banter");
/** Without what the server would take for settings; `BANTER_SERVER` itself would be one. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("BANTER_")),
);
const START_WITHIN = 20_000;

export class Server {
  /** `settings` is what the TOML file says, as an object. */
  static async start(settings) {
    const server = new Server();
    server.#folder = await mkdtemp(path.join(tmpdir(), "banter-e2e-"));
    await writeFile(path.join(server.#folder, "banter.toml"), toToml(settings));
    await server.restart();
    return server;
  }

  /** Its own origin, `http://127.0.0.1:PORT`. */
  origin = "http://127.0.0.1:0";
  /** The first API key, which the first start shows. */
  ownerKey;
  /** What it logged, for whoever has to find out what went wrong. */
  log = "";
  #folder;
  #child;

  /** Starts it, again at the same address if it ran before. */
  async restart() {
    const file = (name) => path.join(this.#folder, name);
    const flags = ["--config", file("banter.toml"), "--data", file("data")];
    flags.push("--listen", new URL(this.origin).host);
    this.#child = spawn(PROGRAM, flags, { env: ENVIRONMENT, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stderr.on("data", (text) => (this.log += text));
    // Should this process be stopped before it stops the server.
    const end = () => this.#child.kill("SIGKILL");
    process.once("exit", end);
    this.#child.once("exit", (code, signal) => {
      process.off("exit", end);
      this.log += `ended with ${signal ?? code}\n`;
    });
    this.origin = await this.#greeting();
  }

  /** `kill -9`. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#gone();
  }

  /** Loses all data; not while it runs. */
  forget() {
    return rm(path.join(this.#folder, "data"), { recursive: true });
  }

  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM");
      // What a test left half-way must not hold up the others for as long as a real stop may take.
      const force = setTimeout(() => this.#child.kill("SIGKILL"), 3_000);
      await this.#gone();
      clearTimeout(force);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The visitor API, as `fetch` has it: a page of `origin` asks for `path` below `/visitor/v1`. */
  ask(path, { origin = this.origin, token, ...options } = {}) {
    const headers = { origin, "content-type": "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    return fetch(`${this.origin}/visitor/v1/${path}`, { ...options, headers });
  }

  /** The owner API, as `fetch` has it: `path` below `/api/v1`, with the owner's key. */
  own(path, options = {}) {
    const headers = { "content-type": "application/json", authorization: `Bearer ${this.ownerKey}` };
    return fetch(`${this.origin}/api/v1/${path}`, { ...options, headers });
  }

  async #gone() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
  }

  /** Waits for the line that says where it listens. */
  async #greeting() {
    const lines = createInterface(this.#child.stdout);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), START_WITHIN);
    try {
      for await (const line of lines) {
        this.ownerKey ??= /^Owner's key .*: (banter_sk_\S+)/.exec(line)?.[1];
        const [, origin] = /^Demo shop: (http:\/\/[^/]+)/.exec(line) ?? [];
        if (origin) return origin;
      }
    } finally {
      clearTimeout(timer);
      this.#child.stdout.resume();
    }
    throw new Error(`${PROGRAM} did not start:\n${this.log}`);
  }
}
