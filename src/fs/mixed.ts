/** Batches of calls as `multipart/mixed`, RFC 2046, the way Azure and Google take them. */
import { randomUUID } from "node:crypto";

export interface Batch {
  boundary: string;
  body: Uint8Array;
}

/** `calls`: whole requests, from the request line to the empty line; `idOf` spells their numbers. */
export function writeBatch(calls: readonly string[], idOf: (index: number) => string = String): Batch {
  const boundary = `batch_${randomUUID()}`;
  const parts = calls.map(
    (call, i) =>
      `--${boundary}\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\ncontent-id: ${idOf(i)}\r\n\r\n${call}\r\n`,
  );
  return { boundary, body: Buffer.from(`${parts.join("")}--${boundary}--\r\n`) };
}

export interface BatchAnswer {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  text: string;
}

/** The answers by the number of their call; a call that got none is missing. */
export function readBatch(text: string): Map<number, BatchAnswer> {
  const answers = new Map<number, BatchAnswer>();
  const boundary = /^--\S+/m.exec(text)?.[0];
  for (const part of boundary === undefined ? [] : text.split(boundary)) {
    const index = /^content-id:.*?(\d+)>?\s*$/im.exec(part)?.[1];
    const start = part.search(/^HTTP\/1\.\d /m);
    if (index !== undefined && start >= 0) answers.set(Number(index), answerIn(part.slice(start)));
  }
  return answers;
}

function answerIn(text: string): BatchAnswer {
  const [head = "", ...rest] = text.split(/\r?\n\r?\n/);
  const [line = "", ...lines] = head.split(/\r?\n/);
  const headers: Record<string, string> = Object.create(null);
  for (const header of lines) {
    const colon = header.indexOf(":");
    headers[header.slice(0, colon).toLowerCase()] = header.slice(colon + 1).trim();
  }
  return { status: Number(line.split(" ")[1]), headers, text: rest.join("\n\n").trimEnd() };
}
