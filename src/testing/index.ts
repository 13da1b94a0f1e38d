/**
 * The conformance tests that every driver passes, and what a harness for them needs.
 *
 * @packageDocumentation
 */
export type { Capability, Exception, Harness } from "./bench.js";
export { DISPUTED_NAMES, expectRejection, ODD_NAMES, TestContext } from "./bench.js";
export { type Case, type ContractOptions, driverContract } from "./contract.js";
