/** Bodies of the Fetch API, which bring their content type. */
import { invalid } from "../errors.js";
import type { Body } from "../streams.js";

/** A body of `storage.write`: also a response or a request with its body, and the fields of a form. */
export type WriteBody = Body | Response | Request | URLSearchParams;

/**
 * Returns the bytes of a body and its content type, if it states one. Throws InvalidArgument for a response that is no
 * success: its body is an error page.
 */
export function unwrapped(body: WriteBody): { body: Body; contentType?: string | undefined } {
  if (body instanceof URLSearchParams)
    return { body: body.toString(), contentType: "application/x-www-form-urlencoded;charset=UTF-8" };
  if (body instanceof Blob) return { body, contentType: body.type || undefined };
  if (!(body instanceof Response || body instanceof Request)) return { body };
  if (body.bodyUsed) throw invalid("the body of the response or request was already read");
  if (body instanceof Response && !body.ok)
    throw invalid(`the response is no success: its status is ${body.status}; check response.ok`);
  return { body: body.body ?? "", contentType: body.headers.get("content-type") ?? undefined };
}
