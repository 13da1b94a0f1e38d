export type { Capability, Exception, Harness } from "./bench.js";
export { Bench, DISPUTED_NAMES, ODD_NAMES, refused } from "./bench.js";
export { type Case, type ContractOptions, driverContract } from "./contract.js";
