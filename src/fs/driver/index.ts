/** The door of the room: the driver interface as the other rooms use it. `src/driver.ts` is what authors of drivers get. */
export type { ObjectDriver, ObjectInfo, WriteResult } from "./driver.js";
export { byUtf8 } from "./listing.js";
