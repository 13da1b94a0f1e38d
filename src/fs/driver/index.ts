/**
 * Entry point of this folder: the driver interface as the other folders use it. Authors of drivers use `src/driver.ts`.
 */
export type { ObjectAttributes, ObjectDriver, ObjectInfo, WriteResult } from "./driver.js";
export { byUtf8 } from "./listing.js";
