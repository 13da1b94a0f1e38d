/**
 * Azurite, without its garbage collection: every ten minutes that looks for the data of each deleted blob among all
 * others, which keeps the only thread busy for minutes after some ten thousand of them, and it can take the data of a
 * blob that is just being written.
 */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const LONGEST_TIMER_MS = 2 ** 31 - 1;

require("azurite/dist/src/blob/utils/constants.js").DEFAULT_GC_INTERVAL_MS = LONGEST_TIMER_MS;
require("azurite/dist/src/blob/main.js");
