export { Bench, refused } from "./bench.js";
export { type Case, type ContractOptions, driverContract } from "./contract.js";
export type { Capability, Exception, Harness } from "./spec.js";
