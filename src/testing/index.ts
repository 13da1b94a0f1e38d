export type { Capability, Exception, Harness } from "./bench.js";
export { DISPUTED_NAMES, expectRejection as refused, ODD_NAMES, TestContext as Bench } from "./bench.js";
export { type Case, type ContractOptions, driverContract } from "./contract.js";
