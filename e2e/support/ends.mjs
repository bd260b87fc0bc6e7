// How a conversation ended, as the server has it: what the visitor may read, and the owner's log.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** How far the clocks of a test and of the server's timers may be apart, in milliseconds. */
const LEEWAY = 1_500;
/** After a grace period, until the server must have noticed. */
const NOTICED = 900;

/** Waits until a grace period is over, without a sign of life: reading the conversation would be one. */
export const graceOver = (seconds) => sleep(seconds * 1_000 + NOTICED);

/**
 * The server has it that the visitor's session ended for `reason`, at about the instant `at` if one is given.
 */
export async function assertEnded(visitor, reason, at) {
  const { session } = await visitor.history();
  assert.equal(session.status, "ended");
  assert.equal(session.endReason, reason);
  assert.equal(session.inactiveInMs, 0);
  if (at !== undefined) {
    const off = session.endedAt - at;
    assert.ok(Math.abs(off) < LEEWAY, `${reason} came ${off} ms after it should have`);
  }
  await assertLogged(visitor, reason, session.endedAt - session.createdAt);
}

/** It goes on. */
export async function assertActive(visitor) {
  const { session } = await visitor.history();
  assert.deepEqual([session.status, session.endReason], ["active", undefined]);
  assert.ok(session.inactiveInMs > 0);
}

/**
 * The owner's log says the same: why, and how long it lasted. It says so when the server has written it down, which it
 * does once a second; reading it is no sign of life.
 */
export async function assertLogged({ server, session: { id } }, reason, duration) {
  const read = async () => {
    const response = await server.own(`logs/${id}`);
    assert.equal(response.status, 200);
    return response.json();
  };
  let { log, timeline } = await read();
  for (const late = Date.now() + LEEWAY; log.status !== "ended" && Date.now() < late; await sleep(50)) {
    ({ log, timeline } = await read());
  }
  assert.deepEqual([log.status, log.endReason], ["ended", reason]);
  const off = log.durationMs - duration;
  assert.ok(Math.abs(off) < LEEWAY, `the log's duration is ${off} ms off`);
  assert.equal(timeline.filter(({ kind }) => kind === "ended").length, 1, "it ended once");
}
