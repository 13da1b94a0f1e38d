/** How many parts of an upload a server sees at the same time. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type ConnectionLike, openStorage } from "../../../../src/index.js";

const MIB = 2 ** 20;
/** Of 8 MiB each. */
const PARTS = 20;
/** Milliseconds after which no further part is expected. */
const QUIET_MS = 300;

interface Place {
  path: string;
  connection: (endpoint: string) => ConnectionLike;
  isPart: (url: URL) => boolean;
  answer: (method: string, url: URL) => [status: number, body: string];
}

const begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
const complete = '<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>';
const PLACES: Record<string, Place> = {
  S3: {
    path: "s3://it@bucket/key",
    connection: (endpoint) => ({ type: "aws", login: "id", password: "secret", extra: { endpoint_url: endpoint } }),
    isPart: ({ searchParams }) => searchParams.has("partNumber"),
    answer: (method, { searchParams }) => [200, method === "PUT" ? "" : searchParams.has("uploads") ? begun : complete],
  },
  Azure: {
    path: "abfs://it@bucket/key",
    connection: (endpoint) => ({ type: "wasb", login: "account", password: "c2VjcmV0", host: `${endpoint}/account` }),
    isPart: ({ searchParams }) => searchParams.get("comp") === "block",
    answer: () => [201, ""],
  },
};

test.each(Object.entries(PLACES))(
  "eight parts of a stream of unknown size are in flight on %s, and no more",
  async (_, { path, connection, isPart, answer }) => {
    const held: (() => void)[] = [];
    let [most, parts] = [0, 0];
    const server = createServer((request, response) => {
      const { method = "", url = "" } = request.resume();
      const asked = new URL(url, "http://localhost");
      const reply = () => {
        const [status, body] = answer(method, asked);
        response.writeHead(status, { etag: '"e"', "last-modified": "Sun, 01 Feb 2026 00:00:00 GMT" }).end(body);
      };
      if (!isPart(asked)) return void request.on("end", reply);
      parts += 1;
      held.push(reply);
      most = Math.max(most, held.length);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    const storage = openStorage({ env: {}, connections: { it: connection(`http://127.0.0.1:${port}`) } });
    const body = async function* () {
      for (let i = 0; i < PARTS * 8; i++) yield new Uint8Array(MIB);
    };
    const written = storage.write(path, body());
    for (let seen = -1; parts < PARTS; ) {
      await delay(QUIET_MS);
      // All that are held at once: the next ones come together again.
      if (seen === parts) for (const reply of held.splice(0)) reply();
      seen = parts;
    }
    for (const reply of held.splice(0)) reply();
    await written;
    expect([most, parts]).toEqual([8, PARTS]);
    await storage.close();
    server.close();
  },
);
