/** Entry point of this folder: claims as the adapters of runtimes use them. */
export { type ClaimOptions, Claims, type ClaimsOptions, type PutOptions, type StoredClaim } from "./claims.js";
export { ageMs, byteLimit, DigestObjects, digestOf, liesBelow, REMEMBER_MS, toPath } from "./objects.js";
export type { Claim, ClaimCodec } from "./reference.js";
export {
  type ClaimsLayoutOptions,
  claimReferences,
  claimsLayout,
  REFERENCE_MARK,
  referencesIn,
} from "./references.js";
