/** Entry point of this folder: the HTTP client as the other folders use it. */
export { openHttp, originOf } from "./client.js";
export { codeOfHttp, HttpError } from "./errors.js";
export type { HttpClient, HttpOptions } from "./types.js";
