/** The door of the room: the HTTP client as the other rooms use it. */
export { type Http, openHttp, originOf } from "./client.js";
export { codeOfHttp, HttpError } from "./errors.js";
export type { HttpOptions } from "./types.js";
