import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMultipartMixed, writeMultipartMixed } from "../../../../src/fs/driver/batch-delete.js";

/** An answer as Azure and Google write theirs. */
function answer(
  parts: readonly { id: string; status: number; headers?: string[]; body?: string }[],
  end = "\r\n",
): string {
  const rows = parts.flatMap(({ id, status, headers = [], body = "" }) => [
    "--batchresponse_1",
    "Content-Type: application/http",
    `Content-ID: ${id}`,
    "",
    `HTTP/1.1 ${status} Said`,
    ...headers,
    "",
    body,
  ]);
  return [...rows, "--batchresponse_1--", ""].join(end);
}

describe("a batch of calls", () => {
  it("holds every call whole, under a boundary that none contains, numbered from 0", () => {
    const calls = ["DELETE /a HTTP/1.1\r\nx: 1\r\n\r\n", "DELETE /b HTTP/1.1\r\n\r\n"];
    const { boundary, body } = writeMultipartMixed(calls);
    const text = Buffer.from(body).toString();
    const parts = text.split(`--${boundary}`);
    expect(parts).toHaveLength(4);
    expect([parts[0], parts[3]]).toEqual(["", "--\r\n"]);
    calls.forEach((call, i) => {
      expect(parts[i + 1]).toBe(
        `\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\ncontent-id: ${i}\r\n\r\n${call}\r\n`,
      );
    });
    expect(writeMultipartMixed(calls).boundary).not.toBe(boundary);
  });
});

describe("the answer to a batch", () => {
  it.each(["\r\n", "\n"])("is read by the number of the call, whatever the order, with lines that end in %j", (end) => {
    const text = answer(
      [
        { id: "2", status: 404, headers: ["x-ms-error-code: BlobNotFound"], body: "<Error>\n\n--x</Error>" },
        { id: "0", status: 202, headers: ["X-Ms-Request-Id: r"] },
      ],
      end,
    );
    const answers = readMultipartMixed(text);
    expect([...answers.keys()]).toEqual([2, 0]);
    expect(answers.get(0)).toEqual({ status: 202, headers: { "x-ms-request-id": "r" }, text: "" });
    expect(answers.get(2)).toMatchObject({ status: 404, headers: { "x-ms-error-code": "BlobNotFound" } });
  });

  it("is read with the ids that Google makes of ours", () => {
    expect(readMultipartMixed(answer([{ id: "<response-9f2c+17>", status: 204 }])).get(17)?.status).toBe(204);
  });

  it("misses the calls that have none, and has none where it is no batch at all", () => {
    expect(readMultipartMixed(answer([{ id: "1", status: 202 }])).has(0)).toBe(false);
    for (const text of ["", "<Error/>", "--x\r\nContent-ID: 0\r\n\r\nnothing"])
      expect(readMultipartMixed(text).size).toBe(0);
  });

  it("is told in linear time, whatever it is", () => {
    const pieces = fc.constantFrom("--", "\r\n", "HTTP/1.1 200", "content-id: ", "<", ">", " ", "7", "x");
    fc.assert(fc.property(fc.array(pieces, { maxLength: 200 }), (text) => void readMultipartMixed(text.join(""))));
    const begun = performance.now();
    readMultipartMixed(`--\r\ncontent-id: ${"1<".repeat(100_000)}\r\n`);
    readMultipartMixed(`--\r\ncontent-id: ${" ".repeat(100_000)}x\r\n`);
    expect(performance.now() - begun).toBeLessThan(2000);
  });
});
