/**
 * For authors of drivers: the interface that Storage expects, and the helpers that the drivers of this package use.
 * `stowage/testing` has the conformance tests.
 *
 * @packageDocumentation
 */
export { type LimitedBuffer, LinkedAbortController, type MemoryLimiter, memoryLimiter, pause } from "./concurrency.js";
export { type Connection, type Extra, revealed, type Secret } from "./connections/index.js";
export {
  type BatchErrorOptions,
  type ErrorCode,
  failure,
  invalid,
  isStorageError,
  StorageError,
  type StorageErrorOptions,
} from "./errors.js";
export { type BatchDelete, batchDelete, type DeleteOutcome, type DeleteTarget } from "./fs/driver/batch-delete.js";
export { type AccessToken, CachedAccessToken, CachedCredentials } from "./fs/driver/cached-credentials.js";
export {
  contentTypeOf,
  decodeRfc2047,
  encodeRfc2047,
  modifiedIn,
  parseContentRange,
  rangeHeader,
  sizeFrom,
} from "./fs/driver/content.js";
export * from "./fs/driver/driver.js";
export { byUtf8, dateInRow, isAfter, Listing, NewestFirst, sizeInRow } from "./fs/driver/listing.js";
export {
  type MultipartUpload,
  type Part,
  type UploadLimits,
  type UploadOptions,
  type UploadTarget,
  upload,
} from "./fs/driver/upload.js";
export type { HttpBody } from "./fs/http/body.js";
export { openHttp, originOf } from "./fs/http/client.js";
export { codeOfHttp, HttpError, type HttpFailure, IncompleteBodyError } from "./fs/http/errors.js";
export type {
  Explanation,
  HttpClient,
  HttpHead,
  HttpOptions,
  HttpRequest,
  HttpResponse,
  HttpText,
  Origin,
  ServiceProtocol,
  SignedRequest,
} from "./fs/http/types.js";
export { abortable, type ByteStream, collect, counted, exactly, type InMemory, orAbort, single } from "./streams.js";
