/** Entry point of this folder: the HTTP client as the other folders use it. */
export { type Http, openHttp, originOf } from "./client.js";
export { codeOfHttp, HttpError } from "./errors.js";
export type { HttpOptions } from "./types.js";
