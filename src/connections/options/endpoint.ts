/** Addresses of storage services. */
import type { FieldReader } from "./fields.js";

/**
 * The endpoint in the field `name`, without a trailing slash. It is http or https, with a port and a path where needed,
 * and nothing else: a user, a query or a fragment fails with InvalidArgument.
 */
export function endpointIn(fields: FieldReader, name: string): string | undefined {
  const text = fields.text(name);
  return text === undefined ? undefined : endpointOf(text, (why) => fields.wrong(name, why));
}

/** The endpoint in `text`; `wrong` makes the error from the reason. */
export function endpointOf(text: string, wrong: (why: string) => Error): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed || !/^https?:\/\/[^/?#]/i.test(text))
    throw wrong("must be an address that starts with https:// or http://");
  if (parsed.username || parsed.password) throw wrong("must not carry a user or password");
  if (/[?#]/.test(text)) throw wrong("must not carry a query or a fragment");
  return `${parsed.origin}${parsed.pathname}`.replace(/(?<!\/)\/+$/, "");
}

/** Whether the host of `endpoint` is `domain` or below it. */
export function isBelow(endpoint: string, domain: string): boolean {
  const host = new URL(endpoint).hostname;
  return host === domain || host.endsWith(`.${domain}`);
}
