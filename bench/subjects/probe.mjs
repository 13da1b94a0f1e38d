// Not a library but the line that none can cross: signed requests on node:http with nothing around them.
import { createHmac, hash } from "node:crypto";
import * as plain from "node:http";
import * as secure from "node:https";

const SIGNED = "host;x-amz-content-sha256;x-amz-date";
const PART = 8 * 2 ** 20;
const PARTS_AT_ONCE = 4;

export async function open({ bucket, s3: { endpoint, region, accessKey, secretKey } }) {
  const { protocol, host, hostname, port } = new URL(endpoint);
  const { Agent, request } = protocol === "https:" ? secure : plain;
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const date = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
  const steps = [date.slice(0, 8), region, "s3", "aws4_request"];
  const scope = steps.join("/");
  const signingKey = steps.reduce((key, text) => createHmac("sha256", key).update(text).digest(), `AWS4${secretKey}`);

  function headers(method, path, query, body) {
    const lines = `host:${host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:${date}\n`;
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${SIGNED}\nUNSIGNED-PAYLOAD`;
    const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${hash("sha256", canonical)}`;
    const signature = createHmac("sha256", signingKey).update(text).digest("hex");
    const credential = `Credential=${accessKey}/${scope}, SignedHeaders=${SIGNED}, Signature=${signature}`;
    const list = ["host", host, "x-amz-content-sha256", "UNSIGNED-PAYLOAD", "x-amz-date", date];
    return [
      ...list,
      "authorization",
      `AWS4-HMAC-SHA256 ${credential}`,
      ...(body ? ["content-length", body.length] : []),
    ];
  }

  function send(method, key, body, query = "") {
    const at = `/${bucket}/${key}`;
    const path = query ? `${at}?${query}` : at;
    return new Promise((resolve, reject) => {
      const options = { agent, hostname, port, method, path, headers: headers(method, at, query, body) };
      request(options, (answer) => {
        if (answer.statusCode >= 300) reject(new Error(`${method}: ${answer.statusCode}`));
        else resolve(answer);
      })
        .on("error", reject)
        .end(body);
    });
  }

  /** The answer's body in one buffer of the promised size, which is the least copying there is. */
  function filled(answer, size) {
    const into = Buffer.allocUnsafeSlow(size);
    let at = 0;
    return new Promise((resolve, reject) => {
      answer.on("data", (chunk) => {
        into.set(chunk, at);
        at += chunk.length;
      });
      answer.on("end", () => resolve(into)).on("error", reject);
    });
  }

  const whole = async (method, key, body) => {
    const answer = await send(method, key, body);
    return filled(answer, method === "GET" ? Number(answer.headers["content-length"]) : 0);
  };
  /** One request where a part holds all of it. */
  async function write(key, chunks) {
    const all = parts(chunks);
    const { value: first = Buffer.alloc(0) } = await all.next();
    if (first.length < PART) await whole("PUT", key, first);
    else await inParts(key, first, all);
  }

  /** As many parts under way as with all subjects that let one say so. */
  async function inParts(key, first, others) {
    const begun = await text(send("POST", key, undefined, "uploads="));
    const upload = `uploadId=${/<UploadId>(.*?)</.exec(begun)[1]}`;
    const tags = [];
    const part = async (body, number) => {
      const answer = await send("PUT", key, body, `partNumber=${number}&${upload}`);
      tags[number - 1] = answer.headers.etag;
      await drained(answer);
    };
    const under = new Set();
    let number = 0;
    const begin = async (body) => {
      const sent = part(body, ++number).finally(() => under.delete(sent));
      under.add(sent);
      if (under.size === PARTS_AT_ONCE) await Promise.race(under);
    };
    await begin(first);
    for await (const body of others) await begin(body);
    await Promise.all(under);
    const list = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`).join("");
    const done = Buffer.from(`<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`);
    await drained(await send("POST", key, done, upload));
  }

  return {
    put: (key, data) => whole("PUT", key, data),
    get: (key) => whole("GET", key),
    stat: (key) => whole("HEAD", key),
    remove: (key) => whole("DELETE", key),
    write,
    read: (key) => send("GET", key),
    close: () => agent.destroy(),
  };
}

const drained = async (answer) => {
  for await (const _ of answer);
};

async function text(sent) {
  let all = "";
  for await (const chunk of await sent) all += chunk;
  return all;
}

/** The bytes of `chunks` in buffers of 8 MiB, the last one shorter. */
async function* parts(chunks) {
  let into = Buffer.allocUnsafeSlow(PART);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, PART - filled);
      into.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < PART) continue;
      yield into;
      into = Buffer.allocUnsafeSlow(PART);
      filled = 0;
    }
  }
  if (filled > 0) yield into.subarray(0, filled);
}
