/** The status line and the headers of a response, as strict as RFC 9112 allows: nothing that two readers may take differently. */
import type { IncomingHttpHeaders } from "node:http";

/** Bytes of the head, and of the trailers behind a chunked body. */
export const MAX_HEAD_BYTES = 64 * 1024;
const MAX_HEADERS = 1000;

/** How the body ends: after so many bytes, with its last chunk, or with the connection. */
export type Framing = number | "chunked" | "close";

export interface ResponseHead {
  status: number;
  headers: IncomingHttpHeaders;
  framing: Framing;
  /** Whether the connection may carry another request, as far as the server says. */
  keepAlive: boolean;
}

/** A response that is not HTTP/1.1, or that could be read in two ways. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";

  constructor(
    message: string,
    readonly code = "INVALID_RESPONSE",
  ) {
    super(message);
  }
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** Classes that follow each other are disjoint, so that a long line is not tried in many ways. */
const FIELD = /^([!#$%&'*+\-.^_`|~\w]+):[\t ]*([\x21-\x7e\x80-\xff]*(?:[\t ]+[\x21-\x7e\x80-\xff]+)*)([\t ]*)$/;
/** Node keeps the first of these and drops others. */
const SINGLE =
  /^(?:age|authorization|content-type|etag|expires|from|host|if-modified-since|if-unmodified-since|last-modified|location|max-forwards|proxy-authorization|referer|retry-after|server|user-agent)$/;

/** Parses a head without its last empty line, as latin1 text. Throws {@link ProtocolError}. */
export function parseHead(text: string, method: string): ResponseHead {
  const lines = text.split("\r\n");
  const [, minor, code] = STATUS_LINE.exec(lines[0]!) ?? refuse("the status line is not one of HTTP/1.1");
  if (lines.length > MAX_HEADERS) refuse("too many headers");
  const headers = parseFields(lines);
  const status = Number(code);
  return {
    status,
    headers,
    framing: framingOf(method, status, minor!, headers),
    keepAlive: staysOpen(minor!, headers.connection),
  };
}

/** Parses all lines but the first as headers, named in lower case. */
function parseFields(lines: readonly string[]): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {};
  for (let i = 1; i < lines.length; i++) {
    const [, field, value, blanks] = FIELD.exec(lines[i]!) ?? refuse("a header is malformed");
    const name = field!.toLowerCase();
    if (blanks !== "" && isFraming(name)) refuse(`${name} ends with blanks`);
    add(headers, name, value!);
  }
  return headers;
}

function add(headers: IncomingHttpHeaders, name: string, value: string): void {
  const before = headers[name];
  if (name === "set-cookie") headers[name] = [...(headers[name] ?? []), value];
  else if (typeof before !== "string") headers[name] = value;
  else if (isFraming(name)) refuse(`${name} comes twice`);
  else if (!SINGLE.test(name)) headers[name] = `${before}${name === "cookie" ? "; " : ", "}${value}`;
}

function isFraming(name: string): boolean {
  return name === "content-length" || name === "transfer-encoding";
}

function framingOf(method: string, status: number, minor: string, headers: IncomingHttpHeaders): Framing {
  const { "content-length": length, "transfer-encoding": coding } = headers;
  if (coding !== undefined) {
    if (length !== undefined) refuse("a response has a length and a transfer encoding");
    if (minor === "0" || coding.toLowerCase() !== "chunked") refuse("the transfer encoding is not chunked");
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) refuse("the length is not a number");
  if (method === "HEAD" || status === 204 || status === 304 || status < 200) return 0;
  if (coding !== undefined) return "chunked";
  return length === undefined ? "close" : Number(length);
}

function staysOpen(minor: string, connection = ""): boolean {
  const options = connection.toLowerCase();
  if (/(?:^|,)[\t ]*close[\t ]*(?:,|$)/.test(options)) return false;
  return minor === "1" || /(?:^|,)[\t ]*keep-alive[\t ]*(?:,|$)/.test(options);
}

function refuse(message: string): never {
  throw new ProtocolError(message);
}

/** Throws unless `line` is a header that may follow a body. */
export function checkTrailer(line: string): void {
  const [, name] = FIELD.exec(line) ?? refuse("a trailer is malformed");
  if (isFraming(name!.toLowerCase())) refuse("a trailer describes the body");
}
