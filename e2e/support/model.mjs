// A model server that speaks OpenAI's chat completions, does as it is told, and counts. It holds an
// answer back until a test lets it go, so that "in the middle of an answer" is a place, not a moment.
import { once } from "node:events";
import http from "node:http";

/** Pieces of one word each, as models send them. */
export const words = (text) => text.match(/\S+\s*|\s+/g) ?? [];

export class Model {
  static async start() {
    const model = new Model();
    // A connection that closes just when it is used again would be a fault nobody asked for.
    model.#server.keepAliveTimeout = 0;
    model.#server.listen(0, "127.0.0.1");
    await once(model.#server, "listening");
    return model;
  }

  /** What it was asked, oldest first. */
  requests = [];
  #server = http.createServer((request, response) => this.#serve(request, response));
  #script = { say: "Hello from the model." };
  #allowed = 0;
  #waiting = new Set();

  get baseUrl() {
    return `http://127.0.0.1:${this.#server.address().port}/v1`;
  }

  /** How often it was asked. */
  get calls() {
    return this.requests.length;
  }

  /**
   * What the next calls get. One of
   *   { say: text }   the text, then a proper end
   *   { hold: text }  the text, each word only when `release` allows one more, then a proper end
   *   { cut: text }   the text, then the connection breaks
   *   { fail: status }
   */
  will(script) {
    this.#script = script;
    this.#allowed = 0;
    this.requests = [];
  }

  /** Lets `count` more words go; all there are without it. */
  release(count = Infinity) {
    this.#allowed += count;
    for (const wake of this.#waiting) wake();
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request, response) {
    let body = "";
    for await (const chunk of request) body += chunk;
    this.requests.push(JSON.parse(body));
    const script = this.#script;
    if (script.fail) {
      response.writeHead(script.fail, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { message: "The model is not well." } }));
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const word of words(script.say ?? script.hold ?? script.cut)) {
      if (script.hold && !(await this.#turn(response))) return;
      // Sent before going on, so that a cut comes after it.
      await new Promise((sent) => response.write(chunk({ content: word }), sent));
    }
    if (script.cut) {
      response.destroy();
    } else {
      response.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
    }
  }

  /** Waits until one more word may go; false when nobody waits for it any more. */
  async #turn(response) {
    response.flushHeaders();
    while (this.#allowed < 1 && !response.destroyed) {
      let wake;
      await new Promise((resolve) => {
        wake = resolve;
        this.#waiting.add(wake);
        response.once("close", wake);
      });
      this.#waiting.delete(wake);
      response.off("close", wake);
    }
    this.#allowed -= 1;
    return !response.destroyed;
  }
}

const chunk = (delta, finish_reason = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
