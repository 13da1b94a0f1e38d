/**
 * Large values as objects and references to them, for any runtime. `stowage/langgraph`, `stowage/dbos` and others build
 * on it.
 *
 * @packageDocumentation
 */

export type { Claim, ClaimCodec } from "./claims/index.js";
export {
  type ClaimOptions,
  Claims,
  type ClaimsLayoutOptions,
  type ClaimsOptions,
  claimReferences,
  claimsLayout,
  type PutOptions,
  type StoredClaim,
} from "./claims/index.js";
export type { FoundReference, NamedObject, ObjectLayout, ReferenceSource } from "./references.js";
