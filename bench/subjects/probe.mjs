// Not a library but the line that none can cross: signed requests on node:http with nothing around them.
import { createHmac, hash } from "node:crypto";
import { Agent, request } from "node:http";

const SIGNED = "host;x-amz-content-sha256;x-amz-date";

export async function open({ bucket, s3: { endpoint, region, accessKey, secretKey } }) {
  const { host, hostname, port } = new URL(endpoint);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const date = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
  const steps = [date.slice(0, 8), region, "s3", "aws4_request"];
  const scope = steps.join("/");
  const signingKey = steps.reduce((key, text) => createHmac("sha256", key).update(text).digest(), `AWS4${secretKey}`);

  function headers(method, path, body) {
    const lines = `host:${host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:${date}\n`;
    const canonical = `${method}\n${path}\n\n${lines}\n${SIGNED}\nUNSIGNED-PAYLOAD`;
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

  function send(method, key, body) {
    const path = `/${bucket}/${key}`;
    return new Promise((resolve, reject) => {
      const options = { agent, hostname, port, method, path, headers: headers(method, path, body) };
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
  return {
    put: (key, data) => whole("PUT", key, data),
    get: (key) => whole("GET", key),
    stat: (key) => whole("HEAD", key),
    remove: (key) => whole("DELETE", key),
    read: (key) => send("GET", key),
    close: () => agent.destroy(),
  };
}
