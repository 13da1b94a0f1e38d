/** The parser of responses, with llhttp (Node's own client) as the judge: the same answer, or a refusal. */
import { type Agent, get } from "node:http";
import { Duplex } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { ResponseParser } from "../../../../src/fs/http/response-parser.js";
import { generator } from "../../../support/random.js";

type Taken = { status: number; headers: Record<string, unknown>; body: string } | "refused";

/** What our parser makes of bytes that come in these pieces, after which the connection ends. */
function ours(pieces: readonly Buffer[], method = "GET"): Taken {
  let taken: Exclude<Taken, "refused"> | undefined;
  let complete = false;
  const parser = new ResponseParser({
    head({ status, headers }) {
      taken = { status, headers, body: "" };
    },
    body(data, start, end) {
      taken!.body += data.toString("latin1", start, end);
    },
    complete() {
      complete = true;
    },
  });
  parser.expect(method);
  try {
    for (const piece of pieces) {
      // As on a connection, behind the bytes of a read are those of an earlier one.
      const buffer = Buffer.concat([piece, Buffer.from("x\r\n\r\n\r\n0\r\n\r\n")]);
      parser.read(buffer, piece.length);
    }
    parser.end();
  } catch {
    // Bytes behind a complete answer end the connection, not the answer.
  }
  return complete ? taken! : "refused";
}

/** What Node's client makes of them. */
function nodes(data: Buffer, method = "GET"): Promise<Taken> {
  return new Promise((resolve) => {
    const refused = () => resolve("refused");
    const wire = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        done();
        this.push(data);
        this.push(null);
      },
    });
    const request = get({ method, createConnection: () => wire as never, agent: NO_AGENT, host: "x" }, (answer) => {
      let body = "";
      answer.setEncoding("latin1");
      answer.on("data", (part: string) => {
        body += part;
      });
      answer.on("error", refused);
      answer.on("close", () => {
        if (answer.complete) resolve({ status: answer.statusCode!, headers: answer.headers, body });
        else refused();
      });
    });
    request.on("error", refused);
    request.on("upgrade", refused);
  });
}
const NO_AGENT = undefined as unknown as Agent;

const head = (...lines: string[]) => `HTTP/1.1 ${lines.join("\r\n")}\r\n\r\n`;
const ANSWERS = [
  `${head("200 OK", "Content-Length: 5", 'ETag: "a-1"', "x-amz-meta-a: b  c")}hello`,
  `${head("200 OK", "Transfer-Encoding: chunked", "Connection: keep-alive")}5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nx-t: 1\r\n\r\n`,
  `${head("206 Partial Content", "Content-Range: bytes 0-4/10", "Content-Length: 5")}hello`,
  `${head("100 Continue")}${head("200 OK", "content-length:0")}`,
  head("204 No Content", "Date: Mon, 30 Nov 2026 00:00:00 GMT"),
  head("304 Not Modified", "ETag: x", "Content-Length: 10"),
  `${head("404 Not Found", "Content-Type: application/xml", "Set-Cookie: a=1", "Set-Cookie: b=2")}<Error/>`,
  `${head("503 Slow Down", "Retry-After: 1", "Connection: close", "X-A: 1", "X-A: 2", "Content-Length: 3")}abc`,
  `HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end`,
  `HTTP/1.1 200\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok`,
].map((text) => Buffer.from(text, "latin1"));

const TOKENS = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  "+",
  "-",
  "0x",
  ",",
  ";",
  ":",
  "\x80",
  "\x7f",
  "9",
  "a",
  "chunked",
].concat([
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip\r\n",
  "\r\n ",
  "HTTP/1.1 ",
  "0\r\n\r\n",
]);

function mutated(data: Buffer, random: () => number): Buffer {
  const below = (end: number) => Math.floor(random() * end);
  let text = data.toString("latin1");
  for (let n = 1 + below(3); n > 0; n--) {
    const at = below(text.length + 1);
    const end = Math.min(text.length, at + below(4));
    const token = TOKENS[below(TOKENS.length)]!;
    const way = below(5);
    if (way === 0) text = text.slice(0, at) + token + text.slice(at);
    else if (way === 1) text = text.slice(0, at) + text.slice(end);
    else if (way === 2) text = text.slice(0, at) + token + text.slice(end);
    else if (way === 3) text = text.slice(0, at) + text.slice(at, end).repeat(2) + text.slice(end);
    else text = text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
  }
  return Buffer.from(text, "latin1");
}

describe("parser of responses", () => {
  it("takes answers as Node does", async () => {
    for (const answer of ANSWERS) {
      const taken = ours([answer]);
      expect(taken).not.toBe("refused");
      expect(taken).toEqual(await nodes(answer));
    }
  });

  it("takes 100,000 mutated answers as llhttp does, or refuses them", async () => {
    const random = generator(21);
    let taken = 0;
    for (let i = 0; i < 100_000; i++) {
      const method = i % 7 === 0 ? "HEAD" : "GET";
      const answer = mutated(ANSWERS[i % ANSWERS.length]!, random);
      const found = ours([answer], method);
      if (found === "refused") continue;
      taken++;
      const judged = await nodes(answer, method);
      if (!isDeepStrictEqual(found, judged)) expect(found, JSON.stringify(answer.toString("latin1"))).toEqual(judged);
    }
    expect(taken).toBeGreaterThan(20_000);
  }, 240_000);

  it("takes an answer alike at every split, and byte by byte", () => {
    for (const answer of ANSWERS) {
      const whole = ours([answer]);
      for (let at = 0; at <= answer.length; at++)
        expect(ours([answer.subarray(0, at), answer.subarray(at)]), `split at ${at}`).toEqual(whole);
      expect(ours(Array.from(answer, (_, i) => answer.subarray(i, i + 1)))).toEqual(whole);
    }
  });

  it.each([
    ["both lengths", head("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked")],
    ["two equal lengths", head("200 OK", "Content-Length: 5", "Content-Length: 5")],
    ["a list of lengths", head("200 OK", "Content-Length: 5, 5")],
    ["a sign", head("200 OK", "Content-Length: +5")],
    ["a hexadecimal length", head("200 OK", "Content-Length: 0x5")],
    ["an empty length", head("200 OK", "Content-Length:")],
    ["a length beyond every number", head("200 OK", `Content-Length: ${"9".repeat(17)}`)],
    ["another coding before chunked", head("200 OK", "Transfer-Encoding: gzip, chunked")],
    ["an unknown coding", head("200 OK", "Transfer-Encoding: identity")],
    ["chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ["a folded header", head("200 OK", "X-A: 1", " folded", "Content-Length: 5")],
    ["a space before the colon", head("200 OK", "Content-Length : 5")],
    ["a header without a name", head("200 OK", ": 5", "Content-Length: 5")],
    ["a header without a colon", head("200 OK", "Content-Length")],
    ["bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 5\n\n"],
    ["one bare line feed", "HTTP/1.1 200 OK\r\nX-A: 1\nContent-Length: 5\r\n\r\n"],
    ["a bare carriage return", "HTTP/1.1 200 OK\r\nX-A: 1\rContent-Length: 5\r\n\r\n"],
    ["a NUL", head("200 OK", "X-A: a\0b", "Content-Length: 5")],
    ["HTTP/2.0", "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\n"],
    ["a status of two digits", head("20 OK", "Content-Length: 5")],
    ["a status of four digits", head("2000 OK", "Content-Length: 5")],
    ["a switch of protocols", head("101 Switching Protocols", "Upgrade: x", "Connection: upgrade")],
    ["17 interim responses", head("100 Continue").repeat(17) + head("200 OK", "Content-Length: 5")],
    ["1,000 headers", head("200 OK", ...Array.from({ length: 1000 }, () => "a: b"), "Content-Length: 5")],
    ["64 KiB of headers", head("200 OK", `a: ${"b".repeat(65_536)}`, "Content-Length: 5")],
  ])("refuses %s", (_, text) => {
    expect(ours([Buffer.from(`${text}hello`, "latin1")])).toBe("refused");
    expect(ours(Array.from(`${text}hello`, (one) => Buffer.from(one, "latin1")))).toBe("refused");
  });

  it.each([
    ["a size with a sign", "+5\r\nhello\r\n0\r\n\r\n"],
    ["a size with a space", "5 \r\nhello\r\n0\r\n\r\n"],
    ["a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"],
    ["no size", "\r\nhello\r\n0\r\n\r\n"],
    ["a size beyond every number", `${"f".repeat(17)}\r\nhello\r\n0\r\n\r\n`],
    ["a chunk longer than its size", "4\r\nhello\r\n0\r\n\r\n"],
    ["a chunk shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
    ["a bare line feed behind a size", "5\nhello\r\n0\r\n\r\n"],
    ["a bare line feed behind a chunk", "5\r\nhello\n0\r\n\r\n"],
    ["an endless extension", `5;${"a".repeat(2000)}\r\nhello\r\n0\r\n\r\n`],
    ["a malformed trailer", "5\r\nhello\r\n0\r\na b: c\r\n\r\n"],
    ["endless trailers", `5\r\nhello\r\n0\r\n${"a: b\r\n".repeat(20_000)}\r\n`],
    ["no last chunk", "5\r\nhello\r\n"],
  ])("refuses %s in a chunked body", (_, text) => {
    const answer = Buffer.from(head("200 OK", "Transfer-Encoding: chunked") + text, "latin1");
    expect(ours([answer])).toBe("refused");
  });

  it("refuses what is no HTTP, and a bare line feed, before the end of the head", () => {
    for (const text of ["SSH-2.0-x\r\n", "<html>", "HTTP/1.1 200 OK\n"]) {
      const parser = new ResponseParser({ head() {}, body() {}, complete() {} });
      parser.expect("GET");
      expect(() => parser.read(Buffer.from(text), text.length)).toThrow();
    }
  });

  it("reads 64 KiB of head byte by byte, and a value of blanks, in linear time", () => {
    const cost = (text: string) => {
      const data = Buffer.from(text, "latin1");
      const before = process.cpuUsage().user;
      ours(Array.from(data, (_, i) => data.subarray(i, i + 1)));
      ours([data]);
      return process.cpuUsage().user - before;
    };
    for (const value of ["b", " ", "a ", "\t"]) {
      const text = (bytes: number) => head("200 OK", `a: x${value.repeat(bytes / value.length)}\x01`);
      cost(text(4_000));
      expect(cost(text(64_000))).toBeLessThan(16 * 5 * Math.max(cost(text(4_000)), 2_000));
    }
  });
});
