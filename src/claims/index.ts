/**
 * Entry point `stowage/claims`: large values as objects and references to them, for any runtime. `stowage/langgraph`,
 * `stowage/dbos` and others build on it.
 */
export { type ClaimOptions, Claims, type ClaimsOptions, type PutOptions, type StoredClaim } from "./claims.js";
// For the adapters of runtimes.
export { ageMs, byteLimit, DigestObjects, digestOf } from "./objects.js";
export type { Claim, ClaimCodec } from "./reference.js";
