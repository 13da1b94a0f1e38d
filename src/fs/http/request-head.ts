/** The request line and the headers of a request. */
import { invalid } from "../../errors.js";
import { headerList } from "./transport.js";
import type { SignedRequest } from "./types.js";

/** Returns the head as latin1 text. Throws InvalidArgument for characters that no head can carry, without the value. */
export function requestHead(out: SignedRequest): string {
  const { method, path } = out;
  if (/[^\x21-\xff]/.test(path)) throw invalid("Request path contains unescaped characters");
  const list = headerList(out);
  let text = `${method} ${path} HTTP/1.1\r\n`;
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw invalid(`Invalid character in header content ["${name}"]`);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}connection: keep-alive\r\n\r\n`;
}
