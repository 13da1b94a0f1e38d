/** The line of the benchmarks changes when bytes come, and nothing else. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LIMITS, openLine } from "../../bench/line.mjs";

const ANSWER = "0123456789".repeat(100_000);
const server = createServer((socket) => {
  // The end comes with the bytes, while the line still holds them back.
  socket.once("data", () => socket.end(ANSWER));
});
let line: { endpoint: string; close(): Promise<void> };

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  line = await openLine(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { ...LIMITS, answerMs: 5 });
});
afterAll(async () => {
  await line?.close();
  server.close();
});

test("an answer arrives whole and in order, and its end does not overtake it", async () => {
  const port = Number(new URL(line.endpoint).port);
  const answers = Array.from({ length: 8 }, () => {
    const socket = connect(port, "127.0.0.1");
    socket.write("?");
    return text(socket);
  });
  for (const answer of await Promise.all(answers)) expect(answer === ANSWER).toBe(true);
});
