/** The signatures of the clouds. */
export { canonicalQuery, encodeComponent, encodeKey } from "./sign/encode.js";
export { presign } from "./sign/presign.js";
export { type AccessKeys, type Signable, type SignableRequest, SigV4, UNSIGNED_PAYLOAD } from "./sign/sigv4.js";
