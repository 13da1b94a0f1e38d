export { Bench } from "./bench.js";
export { type Case, type ContractOptions, driverContract } from "./contract.js";
export type { Harness } from "./harness.js";
export { DISPUTED_NAMES, ODD_NAMES } from "./names.js";
export type { Capability, Exception } from "./spec.js";
export { refused } from "./tools.js";
